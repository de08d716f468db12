/** Questions that people thought of, by subject. */
import type { Question } from "./question.ts"

/** A server that asks for the password, which is how it becomes visible. */
const asking = { servers: { a: { asksFor: "password" } } } as const
const secure = { servers: { a: { tls: "yes" } } } as const

const texts = (list: ReadonlyArray<string>, rest: Omit<Question, "text"> = {}): ReadonlyArray<Question> =>
  list.map((text) => ({ text, ...rest }))

const environments = (
  list: ReadonlyArray<Readonly<Record<string, string>>>,
  rest: Omit<Question, "environment"> = { text: "host=127.0.0.1 port={a} user=u dbname=d" }
): ReadonlyArray<Question> => list.map((environment) => ({ environment, ...rest }))

const uris = texts(
  [
    "postgres://u:p@127.0.0.1:{a}/d",
    "postgresql://u:p@127.0.0.1:{a}/d",
    "Postgres://u:p@127.0.0.1:{a}/d",
    "postgres:/u:p@127.0.0.1:{a}/d",
    "mysql://u:p@127.0.0.1:{a}/d",
    " postgres://u:p@127.0.0.1:{a}/d",
    "postgres://u:p@127.0.0.1:{a}",
    "postgres://u:p@127.0.0.1:{a}/",
    "postgres://u:p@127.0.0.1:{a}/d/e",
    "postgres://u:p@127.0.0.1:{a}/d%2Fe",
    "postgres://u:p@127.0.0.1:{a}/d%20e",
    "postgres://u:p@127.0.0.1:{a}/d+e",
    "postgres://u:p@127.0.0.1:{a}/d#e",
    "postgres://u%40x:p@127.0.0.1:{a}/d",
    "postgres://u:p%40%2F%3A%3F%23%25%26@127.0.0.1:{a}/d",
    "postgres://u:p:q@127.0.0.1:{a}/d",
    "postgres://u:p+q@127.0.0.1:{a}/d",
    "postgres://u:p q@127.0.0.1:{a}/d",
    "postgres://u:%70@127.0.0.1:{a}/d",
    "postgres://u:%C3%A9@127.0.0.1:{a}/d",
    "postgres://u:é@127.0.0.1:{a}/d",
    "postgres://u:p?q@127.0.0.1:{a}/d",
    "postgres://u:p/q@127.0.0.1:{a}/d",
    "postgres://u:1/q@127.0.0.1:{a}/d",
    "postgres://u:p@q@127.0.0.1:{a}/d",
    "postgres://u:%00@127.0.0.1:{a}/d",
    "postgres://u:%zz@127.0.0.1:{a}/d",
    "postgres://u:50%@127.0.0.1:{a}/d",
    "postgres://u:%FF@127.0.0.1:{a}/d",
    "postgres://u@127.0.0.1:{a}/d",
    "postgres://:p@127.0.0.1:{a}/d",
    "postgres://u:@127.0.0.1:{a}/d",
    "postgres://@127.0.0.1:{a}/d",
    "postgres://127.0.0.1:{a}/d?user=u&password=p",
    "postgres://x:y@127.0.0.1:{a}/d?user=u&password=p",
    "postgres://u:p@127.0.0.1:{a}/d?dbname=e",
    "postgres://u:p@127.0.0.1:{b}/d?port={a}",
    "postgres://u:p@gone.invalid:{a}/d?host=127.0.0.1",
    "postgres://u:p@127.0.0.1,127.0.0.1:{a}/d?port={a}",
    "postgres://u:p@127.0.0.1,127.0.0.1:{a}/d?host=127.0.0.1",
    "postgres:///d?host=127.0.0.1&port={a}&user=u&password=p",
    "postgres://?host=127.0.0.1&port={a}&user=u&password=p",
    "postgres://u:p@127.0.0.1:{a}?dbname=d",
    "postgres://u:p@127.0.0.1:{a}/?dbname=d&dbname=e",
    "postgres://u:p@127.0.0.1:{a}/d?",
    "postgres://u:p@127.0.0.1:{a}/d?&",
    "postgres://u:p@127.0.0.1:{a}/d?application_name=x&",
    "postgres://u:p@127.0.0.1:{a}/d?application_name=x&&dbname=e",
    "postgres://u:p@127.0.0.1:{a}/d?application_name",
    "postgres://u:p@127.0.0.1:{a}/d?application_name=x=y",
    "postgres://u:p@127.0.0.1:{a}/d?application_name=x%3Dy%26z",
    "postgres://u:p@127.0.0.1:{a}/d?application_name=a@b",
    "postgres://127.0.0.1:{a}/d?user=a@b",
    "postgres://127.0.0.1:{a}?user=a@b",
    "postgres://u:p@127.0.0.1:{a}?application_name=a@b",
    "postgres://u:p@127.0.0.1:{a}/d?application_name=a+b",
    "postgres://u:p@127.0.0.1:{a}/d?application%5Fname=x",
    "postgres://u:p@127.0.0.1:{a}/d?=x",
    "postgres://u:p@127.0.0.1:{a}/d?Application_Name=x",
    "postgres://u:p@127.0.0.1:{a}/d?database=e",
    "postgres://u:p@127.0.0.1:{a}/d?unknown=x",
    "postgres://u:p@127.0.0.1:{a}/d?pgbouncer=true",
    "postgres://u:p@127.0.0.1:{a}/d?schema=app",
    "postgres://u:p@127.0.0.1:/d?port={a}",
    "postgres://u:p@127.0.0.1:{a}:{a}/d",
    "postgres://u:p@127.0.0.1:x/d",
    "postgres://u:p@127.0.0.1:0/d",
    "postgres://u:p@127.0.0.1:65536/d",
    "postgres://u:p@[127.0.0.1]:{a}/d",
    "postgres://u:p@[]:{a}/d",
    "postgres://u:p@[::1/d",
    "postgres://u:p@[::1]x/d",
    "postgres://u:p@[::1]:{closed}/d",
    "postgres://u:p@%6C%6F%63%61%6C%68%6F%73%74:{a}/d",
    "postgres://u:p@127.0.0.1%2C127.0.0.1:{a}/d"
  ],
  asking
)

const strings = texts(
  [
    "host=127.0.0.1 port={a} user=u password=p dbname=d",
    "  host = 127.0.0.1\tport ={a}\nuser= u password=p dbname=d  ",
    "host='127.0.0.1' port='{a}' user='u' password='p q' dbname='d'",
    "host=127.0.0.1 port={a} user='u'password='p'dbname='d'",
    "host=127.0.0.1 port={a} user=u password='it\\'s \\\\ p' dbname=d",
    "host=127.0.0.1 port={a} user=u password=it\\'s\\ \\\\p dbname=d",
    "host=127.0.0.1 port={a} user=u password=p'q'r dbname=d",
    "host=127.0.0.1 port={a} user=u password='p' q dbname=d",
    "host=127.0.0.1 port={a} user=u password='p",
    "host=127.0.0.1 port={a} user=u password='p\\'",
    "host=127.0.0.1 port={a} user=u password=p\\",
    "host=127.0.0.1 port={a} user=u password='' dbname=d",
    "host=127.0.0.1 port={a} user=u password= dbname=d",
    "host=127.0.0.1 port={a} user=u dbname",
    "host=127.0.0.1 port={a} user",
    "host=127.0.0.1 port={a} =u",
    "host=127.0.0.1 port={a} user=x user=u password=p",
    "host=127.0.0.1 port={a} User=u",
    "host=127.0.0.1 port={a} database=d",
    "host=127.0.0.1 port={a} nosuchkey=d",
    "host=127.0.0.1 port={a} user=u password=p application_name='my app'",
    "host=127.0.0.1 port={a} user=u password=p dbname='postgres://x'",
    "host=127.0.0.1 port=' {a} ' user=u password=p",
    "host=127.0.0.1 port=+{a} user=u password=p",
    "host=127.0.0.1 port={a}x user=u password=p",
    "host=127.0.0.1 port='' user=u password=p",
    "127.0.0.1"
  ],
  asking
)

const keys = texts(
  [
    "connect_timeout=''",
    "connect_timeout=' 5 '",
    "connect_timeout=5s",
    "connect_timeout=1.5",
    "connect_timeout=-1",
    "connect_timeout=0",
    "connect_timeout=99999999999",
    "keepalives=0",
    "keepalives=7",
    "keepalives=x",
    "keepalives=''",
    "keepalives_idle=10",
    "keepalives_idle=-1",
    "keepalives_idle=x",
    "keepalives_interval=2",
    "keepalives_interval=x",
    "keepalives_count=3",
    "keepalives_count=x",
    "keepalives=0 keepalives_count=x",
    "tcp_user_timeout=0",
    "tcp_user_timeout=-5",
    "tcp_user_timeout=1000",
    "tcp_user_timeout=x",
    "sslcompression=0",
    "sslcompression=1",
    "sslsni=0",
    "sslsni=yes",
    "sslsni=''",
    "gssencmode=disable",
    "gssencmode=prefer",
    "gssencmode=require",
    "gssencmode=never",
    "gssencmode=''",
    "gsslib=gssapi",
    "gssdelegation=1",
    "krbsrvname=x",
    "requirepeer=''",
    "client_encoding=UTF8",
    "client_encoding=auto",
    "client_encoding=LATIN1",
    "client_encoding=''",
    "replication=database",
    "replication=off",
    "target_session_attrs=''",
    "target_session_attrs=master",
    "load_balance_hosts=''",
    "load_balance_hosts=yes",
    "load_balance_hosts=random",
    "channel_binding=''",
    "channel_binding=on",
    "channel_binding=disable",
    "require_auth=''",
    "require_auth=none",
    "require_auth=md5",
    "require_auth=none,md5",
    "require_auth='none, md5'",
    "require_auth=none,none",
    "require_auth=none,",
    "require_auth=!none",
    "require_auth=!md5",
    "require_auth=!md5,none",
    "require_auth=!md5,!md5",
    "require_auth=gss",
    "require_auth=gss,none",
    "require_auth=!gss,!sspi",
    "require_auth=kerberos",
    "require_auth=oauth",
    "min_protocol_version=''",
    "min_protocol_version=3.0",
    "min_protocol_version=3.1",
    "min_protocol_version=3.2",
    "max_protocol_version=3.2",
    "max_protocol_version=latest",
    "max_protocol_version=3.1",
    "min_protocol_version=latest max_protocol_version=3.0",
    "ssl_min_protocol_version=''",
    "ssl_min_protocol_version=tlsv1.3",
    "ssl_min_protocol_version=TLSv1.4",
    "ssl_max_protocol_version=TLSv1",
    "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
    "ssl_min_protocol_version='' ssl_max_protocol_version=TLSv1",
    "sslmode=''",
    "sslmode=Require",
    "sslmode=no-verify",
    "sslcertmode=''",
    "sslcertmode=maybe",
    "sslnegotiation=''",
    "sslnegotiation=direct",
    "sslnegotiation=direct sslmode=disable",
    "requiressl=0",
    "scram_client_key=x",
    "oauth_issuer=https://x oauth_client_id=y",
    "sslkeylogfile=x",
    "fallback_application_name=x",
    "fallback_application_name=x application_name=y",
    "fallback_application_name=x application_name=''",
    "options=-cgeqo=off",
    "options='-c geqo=off -c work_mem=1MB'",
    "options=''",
    "authtype=x",
    "tty=x",
    "service=''"
  ].map((pair) => `host=127.0.0.1 port={a} user=u dbname=d ${pair}`)
)

const variables = [
  ...environments(
    [
      { PGHOST: "127.0.0.1", PGPORT: "{a}", PGUSER: "u", PGDATABASE: "d", PGPASSWORD: "p" },
      { PGHOST: "127.0.0.1", PGPORT: "{a}", PGUSER: "u" },
      { PGHOST: "127.0.0.1", PGPORT: "{a}", PGUSER: "", PGDATABASE: "" },
      { PGHOST: "127.0.0.1,127.0.0.1", PGPORT: "{closed},{a}", PGUSER: "u" },
      { PGHOSTADDR: "127.0.0.1", PGPORT: "{a}", PGUSER: "u" },
      { PGHOST: "gone.invalid", PGHOSTADDR: "127.0.0.1", PGPORT: "{a}", PGUSER: "u" },
      { PGHOST: "{dir}", PGPORT: "{a}", PGUSER: "u" },
      { PGHOST: "127.0.0.1", PGPORT: "x", PGUSER: "u" },
      { PGHOST: "127.0.0.1", PGPORT: "{a}", PGUSER: "u", PGPASSFILE: "{home}/passwords" }
    ],
    { files: { passwords: "*:*:*:*:from the file" }, ...asking }
  ),
  ...environments([
    { PGUSER: "x", PGPASSWORD: "x", PGDATABASE: "x", PGHOST: "x", PGPORT: "1" },
    { PGAPPNAME: "app" },
    { PGAPPNAME: "" },
    { PGOPTIONS: "-c geqo=off" },
    { PGTZ: "Asia/Tokyo" },
    { PGDATESTYLE: "ISO, DMY" },
    { PGGEQO: "off" },
    { PGTZ: "default", PGDATESTYLE: "DEFAULT", PGGEQO: "Default" },
    { PGTZ: "", PGDATESTYLE: "", PGGEQO: "" },
    { PGCLIENTENCODING: "UTF8" },
    { PGCLIENTENCODING: "LATIN1" },
    { PGCONNECT_TIMEOUT: "5" },
    { PGCONNECT_TIMEOUT: "x" },
    { PGCONNECT_TIMEOUT: "" },
    { PGSSLMODE: "disable" },
    { PGSSLMODE: "allow" },
    { PGSSLMODE: "require" },
    { PGSSLMODE: "" },
    { PGSSLMODE: "yes" },
    { PGREQUIRESSL: "1" },
    { PGREQUIRESSL: "0" },
    { PGREQUIRESSL: "1", PGSSLMODE: "disable" },
    { PGSSLNEGOTIATION: "direct" },
    { PGSSLNEGOTIATION: "x" },
    { PGSSLCOMPRESSION: "1" },
    { PGSSLCERTMODE: "x" },
    { PGSSLCERTMODE: "disable" },
    { PGSSLSNI: "0" },
    { PGSSLMINPROTOCOLVERSION: "TLSv1.3" },
    { PGSSLMINPROTOCOLVERSION: "x" },
    { PGSSLMAXPROTOCOLVERSION: "TLSv1.1" },
    { PGSSLROOTCERT: "system" },
    { PGSSLROOTCERT: "system", PGSSLMODE: "disable" },
    { PGCHANNELBINDING: "require" },
    { PGCHANNELBINDING: "x" },
    { PGREQUIREAUTH: "scram-sha-256" },
    { PGREQUIREAUTH: "x" },
    { PGREQUIREPEER: "postgres" },
    { PGMINPROTOCOLVERSION: "3.2" },
    { PGMAXPROTOCOLVERSION: "latest" },
    { PGMAXPROTOCOLVERSION: "4.0" },
    { PGGSSENCMODE: "prefer" },
    { PGGSSENCMODE: "require" },
    { PGKRBSRVNAME: "x", PGGSSLIB: "gssapi", PGGSSDELEGATION: "1" },
    { PGTARGETSESSIONATTRS: "standby" },
    { PGTARGETSESSIONATTRS: "x" },
    { PGLOADBALANCEHOSTS: "random" },
    { PGLOADBALANCEHOSTS: "x" },
    { PGSERVICE: "nosuch" },
    { PGPASSFILE: "/nosuch" },
    { PGLOCALEDIR: "/nosuch", PGOAUTHDEBUG: "" }
  ])
]

const service = (content: string, rest: Partial<Question> = {}): Question => ({
  text: "service=app",
  files: { ".pg_service.conf": content },
  ...asking,
  ...rest
})

const base = "[app]\nhost=127.0.0.1\nport={a}\nuser=u\npassword=p\n"

const services: ReadonlyArray<Question> = [
  service(`${base}dbname=d\n`),
  service(`# c\n\n[other]\nhost=x\n${base}[more]\nuser=x\n`),
  service(`${base}dbname=d\ndbname=e\n`),
  service("[app] text\nhost=127.0.0.1\nport={a}\nuser=u\n"),
  service("[apps]\nhost=127.0.0.1\nport={a}\nuser=u\n"),
  service("  [app]  \n  host=127.0.0.1  \n\tport={a}\r\nuser=u\n"),
  service("[app]\nhost =127.0.0.1\nport={a}\nuser=u\n"),
  service("[app]\nhost=127.0.0.1\nport={a}\nuser= u\npassword=' p '\n"),
  service(`${base}application_name=a=b#c\n`),
  service(`${base}nosuch=1\n`),
  service(`${base}Dbname=1\n`),
  service(`${base}dbname\n`),
  service(`${base}service=other\n`),
  service(`${base}sslmode=\n`),
  service(`${base}dbname=\n`, { environment: { PGDATABASE: "x" } }),
  service(`${base}application_name=\n`, { environment: { PGAPPNAME: "x" } }),
  service(`${base}requiressl=1\n`),
  service(`${base}ssl=true\n`),
  service(`${base}gssencmode=disable\nkrbsrvname=x\n`),
  service(`${base}gssencmode=always\n`, { text: "service=app gssencmode=disable" }),
  service(`${base}# ${"long ".repeat(300)}\n`),
  service(`${base}application_name=${"x".repeat(1100)}\n`),
  service(base, { text: "service=app user=v dbname=e" }),
  service(base, { text: "postgres://v@/e?service=app" }),
  service(base, { text: "postgres:///?service=nosuch" }),
  service(base, { text: "service=app password=''", environment: { PGPASSWORD: "x" } }),
  service(base, { text: "dbname=d", environment: { PGSERVICE: "app", PGHOST: "x", PGUSER: "x" } }),
  service("[app]\nhost=127.0.0.1\n", { environment: { PGPORT: "{a}", PGUSER: "u" } }),
  {
    text: "service=app",
    environment: { PGSERVICEFILE: "{home}/named" },
    files: { named: base, ".pg_service.conf": "[app]\nhost=x" },
    ...asking
  },
  {
    text: "service=app",
    environment: { PGSERVICEFILE: "{home}/gone" },
    files: { ".pg_service.conf": base },
    ...asking
  },
  {
    text: "service=app",
    environment: { PGSYSCONFDIR: "{home}/etc" },
    files: { "etc/pg_service.conf": base, ".pg_service.conf": "[other]\nhost=x\n" },
    ...asking
  },
  {
    text: "service=app",
    environment: { PGSERVICEFILE: "{home}/named", PGSYSCONFDIR: "{home}/etc" },
    files: { "etc/pg_service.conf": base, named: "[other]\nhost=x\n" },
    ...asking
  }
]

const LOGIN = "host=127.0.0.1 port={a} user=u dbname=d"

const passwords: ReadonlyArray<Question> = [
  ...[
    "127.0.0.1:{a}:d:u:p",
    "127.0.0.1:{a}:d:u:p\r\n",
    "*:*:*:*:p",
    "#*:*:*:*:p",
    " *:*:*:*:p",
    "# c\n\n*:*:*:*:p q ",
    "127.0.0.1:{b}:*:*:x\n127.0.0.1:*:e:*:x\n127.0.0.1:*:*:v:x\n*:*:*:*:p",
    "*:*:*:*:\n*:*:*:*:x",
    "*:*:*:u\n*:*:*:*:p",
    "*:*:*:*:p:q",
    "*:*:*:*:p\\:q\\\\r\\s",
    "*:*:*:*:p\\",
    "127.0.0.1:{a}:\\d:u:p",
    "\\*:*:*:*:x\n*:*:*:*:p",
    "**:*:*:*:x\n*:*:*:*:p",
    "localhost:*:*:*:x",
    `*:*:*:*:${"long".repeat(500)}`,
    "*:*:*:*:é"
  ].map((content): Question => ({ text: LOGIN, files: { ".pgpass": content }, ...asking })),
  ...["640", "604", "666", "400"].map((mode): Question => ({
    text: LOGIN,
    files: { [`.pgpass ${mode}`]: "*:*:*:*:p" },
    ...asking
  })),
  { text: `${LOGIN} passfile={home}/mine`, files: { ".pgpass": "*:*:*:*:x", mine: "*:*:*:*:p" }, ...asking },
  { text: `${LOGIN} passfile=''`, files: { ".pgpass": "*:*:*:*:p" }, ...asking },
  { text: `${LOGIN} passfile={home}/gone`, files: { ".pgpass": "*:*:*:*:x" }, ...asking },
  { text: `${LOGIN} password=''`, files: { ".pgpass": "*:*:*:*:p" }, ...asking },
  { text: `${LOGIN} password=y`, files: { ".pgpass": "*:*:*:*:x" }, ...asking },
  { text: LOGIN, environment: { PGPASSWORD: "y" }, files: { ".pgpass": "*:*:*:*:x" }, ...asking },
  { text: LOGIN, environment: { PGPASSFILE: "{home}/mine" }, files: { mine: "*:*:*:*:p" }, ...asking },
  {
    text: "host={dir} port={a} user=u dbname=d",
    files: { ".pgpass": "localhost:*:*:*:x\n{dir}:*:*:*:p" },
    ...asking
  },
  { text: "host=127.0.0.1,127.0.0.1 port={a},{b} user=u", files: { ".pgpass": "*:{a}:*:*:x\n*:{b}:*:*:p" } },
  {
    text: "host=127.0.0.1,127.0.0.1 port={closed},{b} user=u",
    files: { ".pgpass": "*:{closed}:*:*:x\n*:{b}:*:*:p" },
    servers: { b: { asksFor: "md5" } }
  },
  {
    text: "host=db hostaddr=127.0.0.1 port={a} user=u",
    files: { ".pgpass": "127.0.0.1:*:*:*:x\ndb:*:*:*:p" },
    ...asking
  },
  {
    text: "hostaddr=127.0.0.1 port={a} user=u",
    files: { ".pgpass": "localhost:*:*:*:x\n127.0.0.1:*:*:*:p" },
    ...asking
  }
]

const three = "host=127.0.0.1,127.0.0.1,127.0.0.1 port={a},{b},{c} user=u dbname=d"
const standby = { in_hot_standby: "on" } as const
const readOnly = { default_transaction_read_only: "on" } as const

const hosts: ReadonlyArray<Question> = [
  ...texts([
    three,
    "host=127.0.0.1,127.0.0.1 port={closed},{b} user=u",
    "host=127.0.0.1,127.0.0.1 port={b} user=u",
    "host=127.0.0.1 port={a},{b} user=u",
    "host=127.0.0.1,127.0.0.1,127.0.0.1 port={a},{b} user=u",
    "host=gone.invalid,127.0.0.1 port={a},{b} user=u",
    "host=localhost port={a} user=u",
    "host={dir},127.0.0.1 port={closed},{b} user=u",
    "host={dir} port={a} user=u",
    "host=@{dir} port={a} user=u",
    "host=@{dir}/gone,127.0.0.1 port={a},{b} user=u",
    "host=' 127.0.0.1' port={a} user=u",
    "hostaddr=127.0.0.1 port={a} user=u",
    "host=x,y hostaddr=127.0.0.1,127.0.0.1 port={closed},{b} user=u",
    "host=x,127.0.0.1 hostaddr=127.0.0.1, port={closed},{b} user=u",
    "host=x hostaddr=127.0.0.1,127.0.0.1 port={a} user=u",
    "hostaddr=127.0.0.1,127.0.0.1 port={closed},{b} user=u",
    "hostaddr=localhost port={a} user=u",
    "host=127.0.0.1 hostaddr='' port={a} user=u",
    "hostaddr=127.1 port={a} user=u",
    "host={dir} hostaddr=127.0.0.1 port={a} user=u",
    "postgres://u@127.0.0.1:{closed},127.0.0.1:{b}/d",
    "postgres://u@127.0.0.1,127.0.0.1/d?port={a}",
    "postgres://u@127.0.0.1:{closed},:{b}/d?host=127.0.0.1,127.0.0.1",
    "postgres://u@/d?host={dir}&port={a}",
    "postgres://u@/d?hostaddr=127.0.0.1&port={a}"
  ]),
  { text: "postgres://u@127.0.0.1,127.0.0.1/d", environment: { PGPORT: "{a}" } },
  { text: `${three} sslmode=require`, servers: { b: { tls: "yes" } } },
  { text: "host={dir} port={a} user=u keepalives_idle=never" },
  { text: "host=127.0.0.1 port={a} user=u gssencmode=disable", environment: { PGGSSENCMODE: "always" } },
  { text: "host={dir},127.0.0.1 port={a} user=u sslmode=verify-ca" },
  { text: "host={dir} port={a} user=u sslmode=verify-ca" },
  { text: "host={dir} port={a} user=u sslmode=verify-full sslcert=/gone sslkey=/gone sslrootcert=/gone" },
  { text: "host={dir} port={a} user=u sslmode=allow", servers: { a: { refusesClear: "28000" } } },
  ...["28P01", "3D000"].map((refuses): Question => ({ text: three, servers: { a: { refuses, tls: "yes" } } })),
  ...["57P03", "53300", "28P01", "28000", "3D000", "57P01", "42501", "08P01", "0A000"].map((refuses): Question => ({
    text: three,
    servers: { a: { refuses } }
  })),
  { text: three, servers: { a: { refuses: "57P03" }, b: { refuses: "57P03" }, c: { refuses: "57P03" } } },
  { text: three, servers: { a: { tls: "hangup" } } },
  { text: `${three} connect_timeout=1`, servers: { a: { isSilent: true } } },
  { text: `${three} connect_timeout=1`, servers: { a: { isSilent: true }, b: { refuses: "57P03" } } },
  ...["any", "read-write", "read-only", "primary", "standby", "prefer-standby"].flatMap(
    (wanted): ReadonlyArray<Question> => [
      { text: `${three} target_session_attrs=${wanted}`, servers: { b: { parameters: standby } } },
      { text: `${three} target_session_attrs=${wanted}`, servers: { a: { parameters: standby } } },
      { text: `${three} target_session_attrs=${wanted}`, servers: { a: { parameters: readOnly } } },
      {
        text: `${three} target_session_attrs=${wanted}`,
        servers: { a: { parameters: standby }, b: { parameters: standby }, c: { parameters: standby } }
      },
      { text: `${three} target_session_attrs=${wanted}` },
      { text: `${three} target_session_attrs=${wanted}`, servers: { a: { refuses: "57P03" } } }
    ]
  ),
  { text: `${three} target_session_attrs=standby`, servers: { a: { parameters: standby, refuses: "28P01" } } },
  { text: "host=127.0.0.1 port={closed} user=u target_session_attrs=prefer-standby" }
]

const certified = "host=localhost port={a} user=u dbname=d sslrootcert={tls}/ca.crt"
const other = "host=localhost port={a} user=u dbname=d sslrootcert={tls}/other-ca.crt"
const byAddress = "host=127.0.0.1 port={a} user=u dbname=d sslrootcert={tls}/ca.crt"
const MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

const encryption: ReadonlyArray<Question> = [
  ...MODES.flatMap((mode): ReadonlyArray<Question> => {
    const text = `host=localhost port={a} user=u dbname=d sslmode=${mode}`
    return [
      { text },
      { text, ...secure },
      { text, servers: { a: { tls: "yes", refusesClear: "28000" } } },
      { text, servers: { a: { tls: "yes", refuses: "28000" } } },
      { text, servers: { a: { tls: "error" } } },
      { text, servers: { a: { tls: "hangup" } } },
      { text: `${certified} sslmode=${mode}`, ...secure },
      { text: `${other} sslmode=${mode}`, ...secure },
      { text: `${byAddress} sslmode=${mode}`, ...secure },
      { text: `host=elsewhere hostaddr=127.0.0.1 port={a} user=u sslrootcert={tls}/ca.crt sslmode=${mode}`, ...secure },
      { text: `hostaddr=127.0.0.1 port={a} user=u sslrootcert={tls}/ca.crt sslmode=${mode}`, ...secure },
      { text: `host={dir} port={a} user=u sslmode=${mode} sslrootcert={tls}/ca.crt`, ...secure },
      { text: `${certified} sslmode=${mode} sslnegotiation=direct`, ...secure },
      { text: `${certified} sslmode=${mode} sslnegotiation=direct` }
    ]
  }),
  ...texts(
    [
      `${certified} sslmode=verify-full sslsni=0`,
      `${certified} sslmode=require ssl_max_protocol_version=TLSv1.2`,
      `${certified} sslmode=require sslcertmode=disable`,
      `${certified} sslmode=require sslcertmode=require`,
      "host=localhost port={a} user=u sslmode=require sslrootcert=system",
      "host=localhost port={a} user=u sslrootcert=system",
      "host=localhost port={a} user=u sslmode=require sslrootcert=/gone",
      "host=localhost port={a} user=u sslmode=verify-ca sslrootcert=/gone",
      "postgres://u@localhost:{a}/d?ssl=true",
      "postgres://u@localhost:{a}/d?ssl=1",
      "postgres://u@localhost:{a}/d?ssl=false",
      "postgres://u@localhost:{a}/d?sslmode=verify-full&ssl=true",
      "postgres://u@localhost:{a}/d?ssl=true&sslmode=disable",
      "postgres://u@localhost:{a}/d?requiressl=1",
      "postgres://u@localhost:{a}/d?sslmode=disable&requiressl=1"
    ],
    secure
  )
]

const home = "host=localhost port={a} user=u dbname=d"

/** Needs the contents of the certificates, which the test has. */
export const certificates = (pem: (name: string) => string): ReadonlyArray<Question> => {
  const client = { ".postgresql/postgresql.crt": pem("client.crt"), ".postgresql/postgresql.key": pem("client.key") }
  return [
    ...["require", "verify-ca", "verify-full", "allow", "prefer"].map((mode): Question => ({
      text: `${home} sslmode=${mode}`,
      files: { ".postgresql/root.crt": pem("ca.crt") },
      ...secure
    })),
    ...["require", "verify-ca", "verify-full", "allow", "prefer"].map((mode): Question => ({
      text: `${home} sslmode=${mode}`,
      files: { ".postgresql/root.crt": pem("other-ca.crt") },
      servers: { a: { tls: "yes", refusesClear: "28000" } }
    })),
    { text: `${home} sslmode=require`, files: client, ...secure },
    { text: `${home} sslmode=disable`, files: client, ...secure },
    { text: `${home} sslmode=require sslcertmode=disable`, files: client, ...secure },
    { text: `${home} sslmode=require sslcertmode=require`, files: client, ...secure },
    { text: `${home} sslmode=require`, environment: { PGSSLCERTMODE: "disable" }, files: client, ...secure },
    {
      text: `${home} sslmode=require sslcert={home}/c sslkey={home}/k`,
      files: { c: pem("client.crt"), k: pem("client.key") },
      ...secure
    },
    {
      text: `${home} sslmode=require sslcert={home}/c sslkey={home}/k`,
      files: { c: pem("client.crt"), "k 644": pem("client.key") },
      ...secure
    },
    {
      text: `${home} sslmode=require sslcert={home}/c sslkey={home}/k`,
      files: { c: pem("client.crt"), k: pem("server.key") },
      ...secure
    },
    { text: `${home} sslmode=require sslcert={home}/gone sslkey={home}/gone`, ...secure },
    { text: `${home} sslmode=require sslcert={home}/c`, files: { c: pem("client.crt") }, ...secure },
    { text: `${home} sslmode=require sslkey={home}/k`, files: { k: pem("client.key") }, ...secure },
    { text: `${home} sslmode=require`, files: { ".postgresql/postgresql.key": pem("client.key") }, ...secure }
  ]
}

/** The startup message, as far as the other subjects have not asked for it. */
const messages: ReadonlyArray<Question> = [
  { text: "host=127.0.0.1 port={a} user=u password=p sslcertmode=require", ...asking },
  ...texts([
    "host=127.0.0.1 port={a} user=u",
    "host=127.0.0.1 port={a} dbname=d",
    "host=127.0.0.1 port={a}",
    "host=127.0.0.1 port={a} user=u dbname=''",
    "host=127.0.0.1 port={a} user='' dbname=d",
    "host=127.0.0.1 port={a} user=u dbname=d application_name=é",
    "host=127.0.0.1 port={a} user=u dbname=d application_name=' '",
    `host=127.0.0.1 port={a} user=u dbname=d application_name=${"x".repeat(100)}`,
    "host=127.0.0.1 port={a} user=u dbname=d options='-c search_path=a\\\\,b'",
    "postgres://u@127.0.0.1:{a}/d?options=-c%20geqo%3Doff&application_name=x%20y&fallback_application_name=z",
    "host=127.0.0.1 port={a} user=u dbname=d max_protocol_version=3.2 application_name=x"
  ])
]

export const table: ReadonlyArray<Question> = [
  ...uris,
  ...strings,
  ...keys,
  ...variables,
  ...services,
  ...passwords,
  ...hosts,
  ...encryption,
  ...messages
]
