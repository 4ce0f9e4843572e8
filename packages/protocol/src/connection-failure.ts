/** Why a connection to a server did not come about, in words that tell its user what to do. */

/** What is known of a failure to connect. */
export interface ConnectionFailure {
  /** The platform's code, such as `ECONNREFUSED`; undefined where it has none, as in browsers. */
  readonly code: string | undefined;
  readonly message: string;
  /** Whether the server was refused for its certificate: nothing was sent to it. */
  readonly isUntrusted: boolean;
}

const NO_AUTHORITY =
  "leads to no authority that is trusted here. Is that the right one, and does the other end send the intermediate certificates, too?";
const OTHER_PURPOSE = "was made for something else";

/** What is wrong with a certificate, by the codes of Node.js and OpenSSL. */
const FAULTS: ReadonlyMap<string, string> = new Map([
  ["CERT_HAS_EXPIRED", "has expired. It has to be renewed, unless a clock is wrong"],
  ["CERT_NOT_YET_VALID", "is not good yet. Is the clock right, here and where it was made?"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "is for other hosts than the one that was asked"],
  ["CERT_REVOKED", "has been revoked"],
  ["CERT_SIGNATURE_FAILURE", NO_AUTHORITY],
  ["CERT_UNTRUSTED", NO_AUTHORITY],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", NO_AUTHORITY],
  ["SELF_SIGNED_CERT_IN_CHAIN", NO_AUTHORITY],
  ["UNABLE_TO_GET_ISSUER_CERT", NO_AUTHORITY],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", NO_AUTHORITY],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", NO_AUTHORITY],
  ["CERT_CHAIN_TOO_LONG", OTHER_PURPOSE],
  ["CERT_REJECTED", OTHER_PURPOSE],
  ["INVALID_CA", OTHER_PURPOSE],
  ["INVALID_PURPOSE", OTHER_PURPOSE],
  ["PATH_LENGTH_EXCEEDED", OTHER_PURPOSE],
]);

/** What is wrong with a certificate, as the end of a sentence about it: `has expired …`. Undefined for a code of anything else. */
export function certificateFault(code: unknown): string | undefined {
  return typeof code === "string" ? FAULTS.get(code) : undefined;
}

/** What a failure of `fetch`, or of a socket, says. */
export function connectionFailure(cause: unknown): ConnectionFailure {
  const inner: unknown = cause instanceof Error ? (cause.cause ?? cause) : cause;
  const code = textIn(inner, "code");
  const fault = certificateFault(code);
  if (fault !== undefined) {
    const message = `its certificate ${fault}${namesIn(inner)} (${code})`;
    return { code, message, isUntrusted: true };
  }
  const said = inner instanceof Error ? inner.message : String(inner);
  return { code, message: said === "" ? (code ?? "failed") : said, isUntrusted: false };
}

/** The names in a certificate that is for other hosts. */
function namesIn(failure: unknown): string {
  if (typeof failure !== "object" || failure === null || !("cert" in failure)) return "";
  const names = textIn(failure.cert, "subjectaltname");
  return names === undefined ? "" : `: for ${names.slice(0, 200)}`;
}

function textIn(value: unknown, member: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found: unknown = Reflect.get(value, member);
  return typeof found === "string" ? found : undefined;
}
