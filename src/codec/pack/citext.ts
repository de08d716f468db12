/** citext: text that is compared without regard to case. It travels as text does. */
import { textualOf } from "../derived.ts"
import { extensionTypeCodec, type TypeCodec } from "../typeCodec.ts"

/**
 * The type of the extension citext, in any schema: strings. Values are the same without this codec; it is there for
 * those who like to name what they use.
 *
 * @category codecs
 * @since 0.1.0
 */
export const citext: TypeCodec = extensionTypeCodec(textualOf("citext"))
