/** The commands that make what a cluster keeps secret. */
import type { Command } from "commander";

import type * as Revocations from "./commands/revocations.ts";
import type { RevocationFlags, RevokeFlags } from "./commands/revocations.ts";
import type * as Secrets from "./commands/secrets.ts";
import type { CertificateFlags, TokenFlags } from "./commands/secrets.ts";
import type { CliIo } from "./io.ts";

/** Adds the commands to the program. `done` gets the exit code of the command that ran. */
export function addSecretCommands(
  program: Command,
  io: CliIo,
  done: (exitCode: number) => void,
): void {
  const load = (): Promise<typeof Secrets> => import("./commands/secrets.ts");
  program
    .command("init")
    .description(
      "Makes a certificate authority for the cluster, certificates for its machines, and token keys, in a new or empty folder.",
    )
    .argument("[folder]", "where to put them", "secrets")
    .option(
      "--host <names>",
      "host names and addresses of a machine, with commas between them; repeatable (default: localhost,127.0.0.1,::1)",
      collect,
    )
    .option("--days <count>", "how long the certificates of machines are valid", "825")
    .action(async (folder: string, flags: CertificateFlags) =>
      done(await (await load()).init(folder, flags, io)),
    );
  program
    .command("certificate")
    .description("Makes a certificate for another machine, with the authority in a folder.")
    .argument("<names>", "its names and addresses, with commas between them")
    .option("--folder <folder>", "what `init` has made", "secrets")
    .option("--days <count>", "how long it is good", "825")
    .option("--renew", "replace the certificate that the machine has")
    .action(async (names: string, flags: CertificateFlags) =>
      done(await (await load()).certificate(names, flags, io)),
    );
  const token = program
    .command("token")
    .description("Makes, revokes and lists tokens, and makes their signing keys.");
  token
    .command("create")
    .description(
      "Makes a token and writes it to stdout. Whoever has the token can use it until it expires or is revoked.",
    )
    .requiredOption("--scope <scope>", "read, write, admin (all keys), or node (joins the cluster)")
    .option("--prefix <prefix>", "only for keys that begin with this; repeatable", collect)
    .option(
      "--node <id>",
      "of scope node: the id that may join, or * for all and for directories; repeatable",
      collect,
    )
    .option("--cluster <name>", "the cluster whose programs accept the token", "meridian")
    .option("--subject <name>", "whom the token is for; appears in logs")
    .option("--expires <ttl>", "how long it is good", "90d")
    .option("--folder <folder>", "what `init` has made", "secrets")
    .action(async (flags: TokenFlags) => done(await (await load()).tokenCreate(flags, io)));
  token
    .command("rotate")
    .description("Makes a new signing key. Tokens of the older keys remain valid.")
    .option("--folder <folder>", "what `init` has made", "secrets")
    .action(async (flags: TokenFlags) => done(await (await load()).tokenRotate(flags, io)));
  addRevocations(token, io, done);
}

function addRevocations(token: Command, io: CliIo, done: (exitCode: number) => void): void {
  const load = (): Promise<typeof Revocations> => import("./commands/revocations.ts");
  const at = (command: Command): Command =>
    command
      .option(
        "--directory <url>",
        "the directory, or several with commas (MERIDIAN_DIRECTORY; default: http://127.0.0.1:7400)",
      )
      .option("--node <id|url>", "at this node (default: one that is ready)")
      .option("--json", "for machines");
  at(token.command("revoke"))
    .description("Revokes a token in the whole cluster. Needs a token of scope admin.")
    .argument("<token>", "the token, or its id (`jti`), as `create` has recorded it")
    .option(
      "--ttl <ttl>",
      "how long to keep the revocation: at least as long as the token is valid (default: as the token or the record of `create` says, otherwise for ever)",
    )
    .option("--ack <level>", "wait for: local, directory, all, or a number of nodes", "directory")
    .option("--timeout <ttl>", "how long to wait for that (default: 5s)")
    .option("--folder <folder>", "what `init` has made", "secrets")
    .action(async (given: string, flags: RevokeFlags) =>
      done(await (await load()).tokenRevoke(given, flags, io)),
    );
  at(token.command("list"))
    .description("Lists the revoked tokens.")
    .action(async (flags: RevocationFlags) => done(await (await load()).tokenList(flags, io)));
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
