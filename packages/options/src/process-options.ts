/** The options that both programs have. No `satisfies` here: types of declarations are made from this file alone. */
export const PROCESS_ROWS = [
  {
    name: "cluster-file",
    kind: "text",
    file: null,
    reloads: "contents",
    description:
      "A file that describes the cluster; it gives the options of the process `--id` that are not given here.",
  },
  {
    name: "cluster",
    kind: "name",
    what: "a cluster",
    default: "meridian",
    file: "cluster",
    description: "The name of the cluster; processes of other clusters are refused.",
  },
  {
    name: "host",
    kind: "text",
    default: "127.0.0.1",
    file: "process",
    description: "The address to listen on.",
  },
  {
    name: "port",
    kind: "integer",
    min: 0,
    minInFile: 1,
    max: 65_535,
    default: { directory: 7400, region: 7401 },
    file: "process",
    description: "The port to listen on; 0 for any free one.",
  },
  {
    name: "tls-cert",
    kind: "text",
    file: "process",
    reloads: "contents",
    description:
      "A file with the certificate to listen and dial with, followed by its intermediate certificates, as PEM; without it, the program listens without TLS.",
  },
  {
    name: "tls-key",
    kind: "text",
    file: "process",
    reloads: "contents",
    description: "A file with the key of that certificate, as PEM without a passphrase.",
  },
  {
    name: "tls-ca",
    kind: "text",
    file: "process",
    reloads: "contents",
    description:
      "A file with the certificates of the authorities to trust when the program dials directories; without it, those of the platform.",
  },
  {
    name: "tls-client-ca",
    kind: "text",
    file: "process",
    reloads: "contents",
    description:
      "A file with the certificates of authorities: only peers with a certificate of one of these may open links.",
  },
  {
    name: "insecure-no-tls",
    kind: "switch",
    file: "process",
    description:
      "Listen without TLS, even with a certificate and on an address that other machines reach, such as behind a proxy that terminates TLS.",
  },
  {
    name: "token-keys",
    kind: "text",
    file: "process",
    reloads: "contents",
    description:
      "A file with public keys, as a JSON Web Key Set: every request and link needs a token that one of these keys signed; without the file, no token is needed.",
  },
  {
    name: "token-file",
    kind: "text",
    file: "process",
    reloads: "contents",
    description: "A file with the token of scope `node` to send to directories.",
  },
  {
    name: "token-age-max",
    kind: "duration",
    default: "24h",
    file: "limits",
    reloads: "option",
    description:
      "How long a program that is cut off still accepts all tokens, although some may have been revoked meanwhile; after that it accepts only tokens that were issued less than this ago.",
  },
  {
    name: "insecure-no-tokens",
    kind: "switch",
    file: "process",
    description:
      "Demand no tokens and send none, even with token files and on an address that other machines reach.",
  },
  {
    name: "data",
    kind: "text",
    required: true,
    file: "process",
    description: "The folder of the program's data.",
  },
  {
    name: "allow-origin",
    kind: "origins",
    file: "process",
    description:
      "The origins whose web pages may send requests: a list with commas, or `*`; other pages are refused.",
  },
  {
    name: "allow-host",
    kind: "hosts",
    file: "process",
    description:
      "Host names that requests may use, besides IP addresses and `localhost`, if the program listens on a loopback address, such as that of a proxy.",
  },
  {
    name: "durability",
    kind: "choice",
    choices: ["process", "power"],
    default: "process",
    file: "limits",
    description: "What an acknowledged write survives: the death of the process, or a power cut.",
  },
  {
    name: "connections-max",
    kind: "integer",
    min: 1,
    max: 1_000_000,
    default: 16_384,
    file: "limits",
    description: "The most connections of clients and nodes; more are refused.",
  },
  {
    name: "rate-limit",
    kind: "integer",
    min: 1,
    max: 1_000_000,
    file: "limits",
    reloads: "option",
    description:
      "The most requests per second of each token, or of each address for requests without a token; more are refused. Without it, there is no limit.",
  },
  {
    name: "rate-burst",
    kind: "integer",
    min: 1,
    max: 1_000_000,
    file: "limits",
    reloads: "option",
    description: "The most of these requests at once; without it, as many as in one second.",
  },
  {
    name: "expired-grace",
    kind: "duration",
    default: { directory: "1d", region: "2h" },
    file: "limits",
    description: "How long the values of expired entries are kept on the disk after their expiry.",
  },
  {
    name: "log-level",
    kind: "choice",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
    file: "log",
    reloads: "option",
    description: "The least severe log lines to print.",
  },
  {
    name: "log-format",
    kind: "choice",
    choices: ["text", "json"],
    default: "text",
    file: "log",
    reloads: "option",
    description: "Log lines as text for people, or one JSON object per line.",
  },
  {
    name: "slow-request",
    kind: "duration",
    file: "log",
    reloads: "option",
    description: "Requests that take longer are logged; without it, none are.",
  },
] as const;
