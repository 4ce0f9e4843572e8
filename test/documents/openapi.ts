/** The HTTP API of a program as an OpenAPI 3.1 document, and as a page for people. */
import { ERROR_KINDS, PROBLEM_CONTENT_TYPE, type ErrorCode } from "@meridian/protocol";
import {
  BYTES,
  EVENTS,
  problem,
  type ApiRoute,
  type Parameter,
  type PlacedRoute,
} from "@meridian/protocol/http-api";
import { toJsonSchema } from "@valibot/to-json-schema";

/** A program that has an HTTP API. */
export interface ApiProgram {
  readonly title: string;
  readonly version: string;
  readonly routes: readonly PlacedRoute[];
}

type Json = Readonly<Record<string, unknown>>;

/** Codes that any route may answer with. */
const COMMON_ERRORS: readonly ErrorCode[] = [
  "ORIGIN_NOT_ALLOWED",
  "HOST_NOT_ALLOWED",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "INVALID_ARGUMENT",
  "UNKNOWN_OPTION",
  "OVERLOADED",
  "REQUEST_TIMEOUT",
  "INTERNAL",
];

/** The document, as indented JSON with a line break at its end. */
export function openApiOf({ title, version, routes }: ApiProgram): string {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
  const document = {
    openapi: "3.1.0",
    info: { title, version, license: { name: "MIT", identifier: "MIT" } },
    paths,
    // None where a program asks for no tokens.
    security: [{}, { token: [] }],
    components: {
      schemas: { Problem: schemaOf(problem) },
      securitySchemes: { token: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function operationOf(route: PlacedRoute): Json {
  const {
    method,
    path,
    summary,
    query = [],
    headers = [],
    body,
    bodyOptional,
    answer,
    errors,
  } = route;
  return {
    operationId: `${method.toLowerCase()} ${path}`,
    summary,
    parameters: [
      ...namesIn(path).map((name) =>
        parameterOf("path", { name, description: "", required: true }),
      ),
      ...query.map((parameter) => parameterOf("query", parameter)),
      ...headers.map((parameter) => parameterOf("header", parameter)),
    ],
    ...(body !== undefined && {
      requestBody: { required: bodyOptional !== true, content: contentOf(body) },
    }),
    responses: {
      200: { description: "Done.", content: contentOf(answer) },
      ...responsesOf([...COMMON_ERRORS, ...errors]),
    },
  };
}

function namesIn(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
}

function parameterOf(place: string, { name, description, required }: Parameter): Json {
  const told = description === "" ? {} : { description };
  return { name, in: place, ...told, required: required === true, schema: { type: "string" } };
}

function contentOf(schema: ApiRoute["answer"]): Json {
  if (schema === BYTES) return { "*/*": {} };
  if (schema === EVENTS) return { "text/event-stream": { schema: { type: "string" } } };
  return { "application/json": { schema: schemaOf(schema) } };
}

function schemaOf(schema: Exclude<ApiRoute["answer"], string>): Json {
  const { $schema: _, ...rest } = toJsonSchema(schema, { target: "draft-2020-12" });
  return rest;
}

/** The failures by their status, each with the codes that it may have. */
function responsesOf(codes: readonly ErrorCode[]): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    const { status } = ERROR_KINDS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, known]) => [
      status,
      {
        description: known.map((code) => `\`${code}\`: ${ERROR_KINDS[code].title}`).join(" "),
        content: { [PROBLEM_CONTENT_TYPE]: { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    ]),
  );
}

/** The page: static, with no script, and nothing from elsewhere. */
export function apiPageOf({ title, version, routes }: ApiProgram): string {
  const sections = routes.map(sectionOf).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<link rel="stylesheet" href="docs.css">
</head>
<body>
<h1>${escaped(title)} <small>${escaped(version)}</small></h1>
<p>Durations are seconds, or a number with a unit such as <code>15m</code>. Instants are milliseconds since the Unix epoch.
Errors are <code>application/problem+json</code> with a <code>code</code>. The same as OpenAPI: <a href="openapi.json">openapi.json</a>.</p>
${sections}
</body>
</html>
`;
}

function sectionOf(route: PlacedRoute): string {
  const { method, path, summary, query = [], headers = [], body, answer, errors } = route;
  return [
    `<section>`,
    `<h2><code>${method} ${escaped(path)}</code></h2>`,
    `<p>${prose(summary)}</p>`,
    tableOf("Query", query),
    tableOf("Headers", headers),
    body === undefined ? "" : shapeOf("Body", body),
    shapeOf("Answer", answer),
    errors.length === 0
      ? ""
      : `<p>Errors: ${errors.map((code) => `<code>${code}</code> (${ERROR_KINDS[code].status})`).join(", ")}.</p>`,
    `</section>`,
  ]
    .filter((line) => line !== "")
    .join("\n");
}

function tableOf(title: string, parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, description, required }) =>
      `<tr><td><code>${escaped(name)}</code>${required === true ? " (must be given)" : ""}</td><td>${prose(description)}</td></tr>`,
  );
  return `<table><caption>${title}</caption>${rows.join("")}</table>`;
}

function shapeOf(title: string, schema: ApiRoute["answer"]): string {
  if (schema === BYTES) return `<p>${title}: bytes of any content type.</p>`;
  if (schema === EVENTS) return `<p>${title}: server-sent events, without end.</p>`;
  const text = JSON.stringify(schemaOf(schema), null, 2);
  return `<details><summary>${title}: JSON</summary><pre>${escaped(text)}</pre></details>`;
}

function prose(text: string): string {
  return escaped(text).replaceAll(/`([^`]*)`/g, "<code>$1</code>");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
