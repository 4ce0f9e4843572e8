/** The options that both programs have. No `satisfies` here: types of declarations are made from this file alone. */
export const PROCESS_ROWS = [
  {
    name: "cluster-file",
    kind: "text",
    file: null,
    description:
      "A file that describes the cluster: what is not given here is as it says of `--id`.",
  },
  {
    name: "cluster",
    kind: "name",
    what: "a cluster",
    default: "meridian",
    file: "cluster",
    description: "The cluster it belongs to; processes of others are refused.",
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
    description: "The port to listen on; 0 takes a free one.",
  },
  {
    name: "tls-cert",
    kind: "text",
    file: "process",
    description:
      "A file with the certificate to listen with, and those between it and its authority, as PEM; without it, it listens without TLS. Links are dialled with it, too.",
  },
  {
    name: "tls-key",
    kind: "text",
    file: "process",
    description: "A file with the key of that certificate, as PEM without a passphrase.",
  },
  {
    name: "tls-ca",
    kind: "text",
    file: "process",
    description:
      "A file with the certificates of the authorities to trust when it dials directories; without it, those of the platform.",
  },
  {
    name: "tls-client-ca",
    kind: "text",
    file: "process",
    description:
      "A file with the certificates of authorities: links are taken only from who shows a certificate of one of these.",
  },
  {
    name: "insecure-no-tls",
    kind: "switch",
    file: "process",
    description:
      "Listens without TLS, whatever certificate there is, also where others than this machine reach the address, such as behind a proxy that ends TLS.",
  },
  {
    name: "token-keys",
    kind: "text",
    file: "process",
    description:
      "A file with public keys, as a JSON Web Key Set: every request and link needs a token that one of them signed; without it, none does.",
  },
  {
    name: "token-file",
    kind: "text",
    file: "process",
    description: "A file with the token to show to directories, of scope `node`.",
  },
  {
    name: "token-age-max",
    kind: "duration",
    default: "24h",
    file: "limits",
    description:
      "How long a program that is cut off goes on taking tokens that may have been revoked meanwhile; afterwards it takes only those that are younger than this.",
  },
  {
    name: "insecure-no-tokens",
    kind: "switch",
    file: "process",
    description:
      "Asks for no tokens and shows none, whatever files there are, also where others than this machine reach the address.",
  },
  {
    name: "data",
    kind: "text",
    required: true,
    file: "process",
    description: "The folder of its data.",
  },
  {
    name: "allow-origin",
    kind: "origins",
    file: "process",
    description:
      "The origins of web pages that may ask it: a list with commas, or `*`; other pages are refused.",
  },
  {
    name: "allow-host",
    kind: "hosts",
    file: "process",
    description:
      "Names it answers to, beside addresses and `localhost`, where it listens on a loopback address: those of a proxy, say.",
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
    description:
      "The most requests a second of each token, or of each address where no tokens are asked for; more are refused. Without it, any number.",
  },
  {
    name: "rate-burst",
    kind: "integer",
    min: 1,
    max: 1_000_000,
    file: "limits",
    description:
      "The most of these requests that come at once; without it, as many as in one second.",
  },
  {
    name: "expired-grace",
    kind: "duration",
    default: { directory: "1d", region: "2h" },
    file: "limits",
    description: "How long the values of entries that have expired are still kept on the disk.",
  },
  {
    name: "log-level",
    kind: "choice",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
    file: "log",
    reloads: true,
    description: "The least grave log lines to print.",
  },
  {
    name: "log-format",
    kind: "choice",
    choices: ["text", "json"],
    default: "text",
    file: "log",
    description: "Log lines for people, or one JSON object each.",
  },
  {
    name: "slow-request",
    kind: "duration",
    file: "log",
    reloads: true,
    description: "Requests that take longer are told in the log; without it, none is.",
  },
] as const;
