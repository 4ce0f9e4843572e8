/** Users of nats-servers, for tests: what a server is configured with, and what the file of credentials says. */
import { nkeys } from "@nats-io/transport-node";

/** One way by which a server knows its users. */
export interface NatsUsers {
  /** Lines of the server's configuration. */
  readonly config: string;
  /** The contents of a file for `--log-credentials`. */
  readonly credentials: string;
}

/** The permissions that a directory of `cluster` needs, as OPERATIONS.md tells them. */
function permissionsOf(cluster: string): string {
  const own = `meridian-${cluster}.>`;
  return `{ publish: ["${own}", "$JS.API.>"], subscribe: ["${own}", "_INBOX.>"] }`;
}

/** A user with a password, who may only what a directory of `cluster` needs. */
export function passwordUsers(cluster: string): NatsUsers {
  const user = `{ user: meridian, password: "s3:cret", permissions: ${permissionsOf(cluster)} }`;
  return { config: `authorization { users: [${user}] }`, credentials: "meridian:s3:cret\n" };
}

/** A token. */
export function tokenUsers(): NatsUsers {
  return { config: `authorization { token: "t0ken" }`, credentials: "t0ken\n" };
}

/** A user who signs with an nkey. */
export function nkeyUsers(): NatsUsers {
  const user = nkeys.createUser();
  return {
    config: `authorization { users: [{ nkey: ${user.getPublicKey()} }] }`,
    credentials: `${text(user.getSeed())}\n`,
  };
}

/** A user with a JWT of an account, and an operator who vouches for it: a `.creds` file as `nsc` makes it. */
export function jwtUsers(): NatsUsers {
  const operator = nkeys.createOperator();
  const [system, account] = [nkeys.createAccount(), nkeys.createAccount()];
  const user = nkeys.createUser();
  const ofSystem = signed("SYS", system, operator, { type: "account", limits: NO_LIMITS });
  const ofAccount = signed("meridian", account, operator, {
    type: "account",
    limits: { ...NO_LIMITS, ...JETSTREAM_LIMITS },
  });
  const ofUser = signed("directory", user, account, {
    type: "user",
    subs: -1,
    data: -1,
    payload: -1,
  });
  const ids = [system, account].map((each) => each.getPublicKey());
  return {
    config: [
      `operator: ${signed("operator", operator, operator, { type: "operator" })}`,
      `system_account: ${ids[0]}`,
      "resolver: MEMORY",
      `resolver_preload: { ${ids[0]}: ${ofSystem}, ${ids[1]}: ${ofAccount} }`,
    ].join("\n"),
    credentials: [
      "-----BEGIN NATS USER JWT-----",
      ofUser,
      "------END NATS USER JWT------",
      "",
      "-----BEGIN USER NKEY SEED-----",
      text(user.getSeed()),
      "------END USER NKEY SEED------",
      "",
    ].join("\n"),
  };
}

type Key = ReturnType<typeof nkeys.createUser>;

const NO_LIMITS = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
};

const JETSTREAM_LIMITS = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

/** A JWT of NATS about `subject`. */
function signed(
  name: string,
  subject: Key,
  issuer: Key,
  claims: Readonly<Record<string, unknown>>,
): string {
  const about = {
    name,
    sub: subject.getPublicKey(),
    iss: issuer.getPublicKey(),
    jti: name,
    iat: 0,
  };
  const head = base64({ typ: "JWT", alg: "ed25519-nkey" });
  const body = `${head}.${base64({ ...about, nats: { version: 2, ...claims } })}`;
  return `${body}.${Buffer.from(issuer.sign(Buffer.from(body))).toString("base64url")}`;
}

function base64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
