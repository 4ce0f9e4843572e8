/**
 * Makes completion scripts for shells. A script finds the command of the typed words, and
 * offers its subcommands, its options, the values of an option with a fixed set, and files for options that take a path.
 */
import { everyCommand, type CommandTree, type TreeOption } from "./command-tree.ts";

/** The shells for which there is completion. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

/** The completion script for a shell. */
export function completionFor(shell: Shell, tree: CommandTree): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](tree);
}

/** A command with everything that may follow it: subcommands and options, also those of the program, which may stand anywhere. */
interface Place {
  readonly name: string;
  readonly commands: readonly CommandTree[];
  readonly options: readonly TreeOption[];
}

function placesOf(tree: CommandTree): readonly Place[] {
  return everyCommand(tree).map((command) => {
    const inherited = command === tree ? [] : tree.options;
    const names = new Set(command.options.map(({ long }) => long));
    const options = [...command.options, ...inherited.filter(({ long }) => !names.has(long))];
    return { name: command.path.join(" "), commands: command.commands, options };
  });
}

function bashScript(tree: CommandTree): string {
  const places = placesOf(tree);
  const [{ name: program }] = places as [Place];
  return `# Completion of ${program} for bash: source this file, or put it into /usr/share/bash-completion/completions.
_${program}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} place=${program} words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
    ${deeper(places)}) place="$place \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$place $previous" in
${valueCases(places, {
  choices: (words) => `COMPREPLY=($(compgen -W "${words}" -- "$current"))`,
  path: `COMPREPLY=($(compgen -f -- "$current"))`,
  any: "COMPREPLY=()",
  end: "; return",
})}
  esac
  case "$place" in
${places.map((place) => `  "${place.name}") words="${wordsOf(place)}" ;;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${program} ${program}
`;
}

function zshScript(tree: CommandTree): string {
  const places = placesOf(tree);
  const [{ name: program }] = places as [Place];
  const described = (name: string, text: string): string =>
    quoted(`${name.replaceAll(":", "\\:")}:${firstSentence(text)}`);
  return `#compdef ${program}
# Completion of ${program} for zsh: put this file as _${program} into a folder of $fpath.
_${program}() {
  local place=${program} word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place $word" in
    ${deeper(places)}) place="$place $word" ;;
    esac
  done
  case "$place \${words[CURRENT-1]}" in
${valueCases(places, {
  choices: (words) => `found=(${words}); _describe value found`,
  path: "_files",
  any: "_message value",
  end: "; return",
})}
  esac
  case "$place" in
${places
  .map(({ name, commands, options }) => {
    const entries = [
      ...commands.map((command) => described(command.path.at(-1) ?? "", command.description)),
      ...options.map(({ long, description }) => described(long, description)),
    ];
    return `  "${name}") found=(${entries.join(" ")}) ;;`;
  })
  .join("\n")}
  esac
  _describe '${program}' found || _files
}
if [ "\${funcstack[1]}" = _${program} ]; then _${program} "$@"; else compdef _${program} ${program}; fi
`;
}

function fishScript(tree: CommandTree): string {
  const places = placesOf(tree);
  const [{ name: program }] = places as [Place];
  const lines = places.flatMap(({ name, commands, options }) => {
    const begin = `complete -c ${program} -n '__${program}_at "${name}"'`;
    return [
      ...commands.map((command) => {
        const about = quoted(firstSentence(command.description));
        return `${begin} -f -a ${command.path.at(-1)} -d ${about}`;
      }),
      ...options.map((option) => {
        const about = quoted(firstSentence(option.description));
        return `${begin} -l ${option.long.slice(2)}${fishValue(option)} -d ${about}`;
      }),
    ];
  });
  return `# Completion of ${program} for fish: put this file as ${program}.fish into ~/.config/fish/completions.
function __${program}_at
    set -l place ${program}
    for word in (commandline -opc)[2..-1]
        switch "$place $word"
            case ${deeperNames(places)
              .map((name) => `"${name}"`)
              .join(" ")}
                set place "$place $word"
        end
    end
    test "$place" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function fishValue({ takesValue, choices, isPath }: TreeOption): string {
  if (!takesValue) return "";
  if (choices.length > 0) return ` -x -a ${quoted(choices.join(" "))}`;
  return isPath ? " -r -F" : " -x";
}

/** The statements of a shell that complete the value of an option: one of fixed `choices`, a `path`, or `any` value. */
interface ValueAnswers {
  readonly choices: (words: string) => string;
  readonly path: string;
  readonly any: string;
  readonly end: string;
}

function valueCases(places: readonly Place[], { choices, path, any, end }: ValueAnswers): string {
  return places
    .flatMap(({ name, options }) =>
      options
        .filter(({ takesValue }) => takesValue)
        .map((option) => {
          const fallback = option.isPath ? path : any;
          const answer = option.choices.length > 0 ? choices(option.choices.join(" ")) : fallback;
          return `  "${name} ${option.long}") ${answer}${end} ;;`;
        }),
    )
    .join("\n");
}

function wordsOf({ commands, options }: Place): string {
  const names = commands.map(({ path }) => path.at(-1));
  return [...names, ...options.map(({ long }) => long)].join(" ");
}

/** A pattern of `case` that matches the words of every subcommand. */
function deeper(places: readonly Place[]): string {
  return deeperNames(places)
    .map((name) => `"${name}"`)
    .join("|");
}

function deeperNames(places: readonly Place[]): readonly string[] {
  return places.slice(1).map(({ name }) => name);
}

function firstSentence(text: string): string {
  return text.split(/(?<=\.)\s|;\s/)[0] ?? text;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
