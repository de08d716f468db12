/** citext: text that is compared without regard to case. It is sent like text. */
import { textualOf } from "../derived.ts"
import { extensionTypeCodec, type TypeCodec } from "../typeCodec.ts"

/**
 * The extension type citext, in any schema: strings. Values are the same without this codec, so you need it only to
 * name the type in your configuration.
 *
 * @category codecs
 * @since 0.1.0
 */
export const citext: TypeCodec = extensionTypeCodec(textualOf("citext"))
