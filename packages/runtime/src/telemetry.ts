/**
 * Spans for OpenTelemetry, if the host has registered a tracer provider with `@opentelemetry/api`.
 *
 * That package keeps what a host registers in one global object, under symbols by which all its copies find it. This module reads that object
 * itself. So it needs no package, browsers load nothing for it, and a host's version cannot be too old. If nothing is registered, a
 * span costs one look at a global, and nothing is made.
 */

/** The operation that something is a part of, as W3C Trace Context names it. */
export interface SpanPlace {
  /** 32 and 16 lower-case hexadecimal digits. */
  readonly traceId: string;
  readonly parentId: string;
  readonly sampled: boolean;
  /** As a `tracestate` header has it; empty for nothing. */
  readonly state: string;
}

/** What is said of a span. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** How a span begins. */
export interface SpanStart {
  readonly name: string;
  readonly kind: "server" | "client" | "consumer";
  /** Default: the span in which the caller runs. */
  readonly parent?: SpanPlace | undefined;
  readonly attributes: SpanAttributes;
  /** In milliseconds since the Unix epoch. Default: now. */
  readonly startMs?: number;
}

/** How a span ends. */
export interface SpanEnd {
  /** A better name, now that more is known. */
  readonly name?: string;
  readonly attributes?: SpanAttributes;
  /** The class of the error with which the operation failed, such as its code. */
  readonly error?: string | undefined;
  /** In milliseconds since the Unix epoch. Default: now. */
  readonly endMs?: number;
}

/** A span that has begun. */
export interface LiveSpan {
  /** The span as the parent of others; undefined if its provider made none. */
  readonly place: SpanPlace | undefined;
  /** Runs `operation` so that instrumentation of the host makes no spans of what it does. */
  quietly<Result>(operation: () => Result): Result;
  end(end: SpanEnd): void;
}

interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly traceState?: { serialize(): string };
  readonly isRemote?: boolean;
}

interface Span {
  spanContext(): SpanContext;
  setAttributes(attributes: SpanAttributes): unknown;
  setStatus(status: { readonly code: number }): unknown;
  updateName(name: string): unknown;
  end(endMs?: number): void;
}

interface Context {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): Context;
  deleteValue(key: symbol): Context;
}

interface Tracer {
  startSpan(name: string, options: object, context: Context): Span;
}

interface Registered {
  readonly trace?: { getTracer(name: string): Tracer };
  readonly context?: {
    active(): Context;
    with<Result>(context: Context, operation: () => Result): Result;
  };
}

const REGISTERED = Symbol.for("opentelemetry.js.api.1");
const SPAN_KEY = Symbol.for("OpenTelemetry Context Key SPAN");
const SUPPRESS_KEY = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** The numbers that OpenTelemetry has for kinds of spans, the status of a failure, and the flag of what is sampled. */
const KINDS = { server: 1, client: 2, consumer: 4 } as const;
const ERROR_STATUS = 2;
const SAMPLED = 1;

const INVALID_TRACE_ID = /^0*$/;

/** Whether the host has registered a tracer provider. */
export function hasTelemetry(): boolean {
  return registered()?.trace !== undefined;
}

/** Begins a span; undefined if the host has registered no tracer provider. */
export function beginSpan(start: SpanStart): LiveSpan | undefined {
  const tracer = registered()?.trace?.getTracer("meridian");
  if (tracer === undefined) return undefined;
  const { name, kind, parent, attributes, startMs } = start;
  const active = activeContext();
  const context = parent === undefined ? active : active.setValue(SPAN_KEY, remoteSpan(parent));
  const options = { kind: KINDS[kind], attributes, startTime: startMs };
  const span = tracer.startSpan(name, options, context);
  return {
    place: placeOf(span),
    quietly: (operation) => {
      const quiet = context.setValue(SPAN_KEY, span).setValue(SUPPRESS_KEY, true);
      const contexts = registered()?.context;
      return contexts === undefined ? operation() : contexts.with(quiet, operation);
    },
    end: (end) => {
      if (end.name !== undefined) span.updateName(end.name);
      const { error } = end;
      span.setAttributes({
        ...end.attributes,
        ...(error !== undefined && { "error.type": error }),
      });
      if (error !== undefined) span.setStatus({ code: ERROR_STATUS });
      span.end(end.endMs);
    },
  };
}

/** The span in which the caller runs, if the host keeps track of that. */
export function activePlace(): SpanPlace | undefined {
  const span = registered()?.context?.active().getValue(SPAN_KEY);
  return span === undefined ? undefined : placeOf(span as Span);
}

function registered(): Registered | undefined {
  return (globalThis as { readonly [REGISTERED]?: Registered })[REGISTERED];
}

function activeContext(): Context {
  return registered()?.context?.active() ?? EMPTY;
}

function placeOf(span: Pick<Span, "spanContext">): SpanPlace | undefined {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  if (INVALID_TRACE_ID.test(traceId)) return undefined;
  const sampled = (traceFlags & SAMPLED) !== 0;
  return { traceId, parentId: spanId, sampled, state: traceState?.serialize() ?? "" };
}

/** A span of another program, as the parent of one here. */
function remoteSpan({ traceId, parentId, sampled, state }: SpanPlace): Span {
  const traceState = traceStateOf(state);
  const place = { traceId, spanId: parentId, traceFlags: sampled ? SAMPLED : 0, isRemote: true };
  const context: SpanContext = state === "" ? place : { ...place, traceState };
  const nothing = (): void => {};
  return {
    spanContext: () => context,
    setAttributes: nothing,
    setStatus: nothing,
    updateName: nothing,
    end: nothing,
  };
}

/** A `tracestate` that goes on as it came; its members can be read. */
function traceStateOf(state: string): {
  serialize(): string;
  get(key: string): string | undefined;
  set(key: string, value: string): unknown;
  unset(key: string): unknown;
} {
  const members = state.split(",").filter((member) => member !== "");
  const without = (key: string): string[] =>
    members.filter((member) => !member.startsWith(`${key}=`));
  return {
    serialize: () => state,
    get: (key) => members.find((member) => member.startsWith(`${key}=`))?.slice(key.length + 1),
    set: (key, value) => traceStateOf([`${key}=${value}`, ...without(key)].join(",")),
    unset: (key) => traceStateOf(without(key).join(",")),
  };
}

/** A context where the host keeps none. */
class OwnContext implements Context {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: ReadonlyMap<symbol, unknown>) {
    this.#values = values;
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return new OwnContext(new Map(this.#values).set(key, value));
  }

  deleteValue(key: symbol): Context {
    const values = new Map(this.#values);
    values.delete(key);
    return new OwnContext(values);
  }
}

const EMPTY = new OwnContext(new Map());
