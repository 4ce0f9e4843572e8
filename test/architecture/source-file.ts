import { parseSync } from "vite";

/** How one module reaches for another. */
export interface Reach {
  /** As written: `./entry.ts`, `node:fs`, `@meridian/protocol`. */
  readonly specifier: string;
  /** `load` runs it, `type` only names its types, `path` only asks where it lies. */
  readonly kind: "load" | "type" | "path";
}

/** What the rules of architecture ask of a source file. */
export interface SourceFile {
  readonly reaches: readonly Reach[];
  readonly exportsDefault: boolean;
  readonly exportsAll: boolean;
  /** Lines with anything on them but blanks and comments. */
  readonly codeLines: number;
}

type Node = Readonly<Record<string, unknown>> & { readonly type: string };

/** Reads a TypeScript file. Throws where it does not parse. */
export function readSourceFile(path: string, text: string): SourceFile {
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const nodes = nodesIn(program);
  return {
    reaches: nodes.flatMap(reachOf),
    exportsDefault: nodes.some(isDefaultExport),
    exportsAll: nodes.some(({ type }) => type === "ExportAllDeclaration"),
    codeLines: countCodeLines(text, comments),
  };
}

function nodesIn(root: unknown): Node[] {
  const found: Node[] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null) continue;
    if ("type" in value && typeof value.type === "string") found.push(value as Node);
    open.push(...(Object.values(value) as unknown[]));
  }
  return found;
}

function reachOf(node: Node): Reach[] {
  switch (node.type) {
    case "ImportDeclaration":
      return reach(node["source"], node["importKind"] === "type" ? "type" : "load");
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
      return reach(node["source"], node["exportKind"] === "type" ? "type" : "load");
    case "ImportExpression":
    case "TSExternalModuleReference":
      return reach(node["source"] ?? node["expression"], "load");
    case "TSImportType":
      return reach(node["source"] ?? node["argument"], "type");
    case "CallExpression":
      return reachOfCall(node);
    case "NewExpression":
      return isNamed(node["callee"], "URL") && isMeta(argument(node, 1), "url")
        ? reach(argument(node, 0), "path")
        : [];
    default:
      return [];
  }
}

function reachOfCall(node: Node): Reach[] {
  if (isNamed(node["callee"], "require")) return reach(argument(node, 0), "load");
  return isMeta(node["callee"], "resolve") ? reach(argument(node, 0), "path") : [];
}

function reach(source: unknown, kind: Reach["kind"]): Reach[] {
  const literal = (source as Node | null | undefined)?.["literal"] ?? source;
  const specifier = (literal as Node | null | undefined)?.["value"];
  return typeof specifier === "string" ? [{ specifier, kind }] : [];
}

function argument(node: Node, index: number): unknown {
  return (node["arguments"] as readonly unknown[])[index];
}

function isNamed(value: unknown, name: string): boolean {
  const node = value as Node | undefined;
  return node?.type === "Identifier" && node["name"] === name;
}

/** Whether `value` is `import.meta.<name>`. */
function isMeta(value: unknown, name: string): boolean {
  const node = value as Node | undefined;
  if (node?.type !== "MemberExpression" || !isNamed(node["property"], name)) return false;
  return (node["object"] as Node).type === "MetaProperty";
}

function isDefaultExport(node: Node): boolean {
  if (node.type === "ExportDefaultDeclaration" || node.type === "TSExportAssignment") return true;
  return node.type === "ExportSpecifier" && isNamed(node["exported"], "default");
}

function countCodeLines(
  text: string,
  comments: readonly { readonly start: number; readonly end: number }[],
): number {
  let code = text;
  for (const { start, end } of comments) {
    const blank = code.slice(start, end).replace(/[^\n]/g, " ");
    code = code.slice(0, start) + blank + code.slice(end);
  }
  return code.split("\n").filter((line) => line.trim() !== "").length;
}
