/** What describes the command: completion, manual pages, and the table of exit codes. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { PROGRAM_OPTIONS, variableOf } from "@meridian/options";
import { SERVER_EXIT_MEANINGS } from "@meridian/supervision";
import type { Command } from "commander";
import { expect, onTestFinished, test } from "vitest";

import { EXIT } from "../src/index.ts";
import { makeProgram } from "../src/program.ts";
import { run } from "./command.ts";

/** Comes between two answers of bash. */
const NEXT = "-- next --";

/** What bash offers after each of some lines that are being typed. */
function offeredAfter(script: string, lines: readonly string[]): readonly (readonly string[])[] {
  const asked = lines.map((line) => {
    const words = line.split(" ");
    const typed = words.map((word) => `'${word}'`).join(" ");
    const place = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; COMPREPLY=()`;
    return `${place}; _meridian; printf '%s\n' "\${COMPREPLY[@]}" '${NEXT}'`;
  });
  const input = [script, ...asked].join("\n");
  const { stdout, stderr } = spawnSync("bash", { input, encoding: "utf8" });
  expect(stderr).toBe("");
  const answers = stdout.split(`${NEXT}\n`).slice(0, -1);
  expect(answers).toHaveLength(lines.length);
  return answers.map((answer) => answer.split("\n").filter((word) => word !== ""));
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

function program(): Command {
  const io = { stdout: { write: () => {} }, stderr: { write: () => {} }, stdin: undefined };
  return makeProgram({ ...io, env: {}, colour: false }, () => {});
}

function pathOf(command: Command): string {
  const before = command.parent === null ? "" : `${pathOf(command.parent)} `;
  return before + command.name();
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "meridian-manual-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function scriptFor(shell: string): Promise<string> {
  const { exitCode, stdout } = await run(["completion", shell]);
  expect(exitCode).toBe(0);
  return stdout.toString();
}

test("bash is offered every command and every option, wherever it is in a line", async () => {
  const script = await scriptFor("bash");
  const commands = everyCommand(program());
  const answers = offeredAfter(
    script,
    commands.map((command) => `${pathOf(command)} `),
  );
  const missing = commands.flatMap((command, index) => {
    const words = new Set(answers[index]);
    const expected = [
      ...command.commands.map((each) => each.name()),
      ...command.options.map(({ long }) => long ?? ""),
      "--ca",
      "--token-file",
      "--context",
      "--help",
    ];
    return expected.filter((word) => !words.has(word)).map((word) => `${pathOf(command)} ${word}`);
  });
  expect(missing).toEqual([]);
});

test.each([
  ["meridian tok", ["token"]],
  ["meridian token cr", ["create"]],
  ["meridian --ca ca.pem token cr", ["create"]],
  ["meridian completion ", []],
  ["meridian get --directory ", []],
  ["meridian get --nod", ["--node"]],
])("bash is offered what may follow %j", async (line, words) => {
  const [found = []] = offeredAfter(await scriptFor("bash"), [line]);
  expect(found.filter((word) => words.length === 0 && !word.startsWith("-"))).toEqual([]);
  for (const word of words) expect(found).toContain(word);
});

test.each(["zsh", "fish"])("%s reads its script without a word", async (shell) => {
  const script = await scriptFor(shell);
  for (const command of everyCommand(program())) {
    for (const { long } of command.options) expect(script).toContain(long?.slice(2));
  }
  if (spawnSync(shell, ["--version"]).status !== 0) return;
  const file = join(folder(), "script");
  writeFileSync(file, script);
  const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
});

test("every command at the top has a manual page, which says every option under it", async () => {
  const pages = folder();
  expect((await run(["man", pages])).exitCode).toBe(0);
  const root = program();
  const names = ["meridian.1", ...root.commands.map((command) => `meridian-${command.name()}.1`)];
  const programs = ["meridian-directory.1", "meridian-region.1"];
  expect(readdirSync(pages)).toEqual([...names, ...programs].toSorted());
  for (const command of root.commands) {
    const page = readFileSync(join(pages, `meridian-${command.name()}.1`), "utf8");
    for (const { flags } of everyCommand(command).flatMap((each) => each.options)) {
      expect(page).toContain(flags.replaceAll("-", "\\-"));
    }
    for (const code of Object.values(EXIT)) expect(page).toContain(`\\fB${code}\\fR`);
  }
});

test.each(["directory", "region"] as const)(
  "meridian-%s has a manual page, which says its options, variables and exit codes",
  async (role) => {
    const pages = folder();
    await run(["man", pages]);
    const page = readFileSync(join(pages, `meridian-${role}.1`), "utf8").replaceAll("\\-", "-");
    for (const { name, description } of PROGRAM_OPTIONS[role]) {
      expect(page).toContain(`--${name}`);
      expect(page).toContain(variableOf(name));
      expect(page).toContain(description.replaceAll("`", ""));
    }
    for (const meaning of Object.values(SERVER_EXIT_MEANINGS)) expect(page).toContain(meaning);
  },
);

test("roff finds nothing to say against the pages", async () => {
  if (spawnSync("man", ["--version"]).status !== 0) return;
  const pages = folder();
  await run(["man", pages]);
  for (const name of readdirSync(pages)) {
    const argv = ["--warnings", "-l", "-Tutf8", join(pages, name)];
    const env = { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "80", MAN_KEEP_STDERR: "1" };
    const { stdout, stderr } = spawnSync("man", argv, { encoding: "utf8", env });
    expect([name, stderr]).toEqual([name, ""]);
    expect(stdout).toContain("MERIDIAN");
  }
});
