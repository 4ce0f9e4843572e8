import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  asMeridianError,
  closeCodeOf,
  ERROR_KINDS,
  errorOfCloseCode,
  MeridianError,
  retryAfterOf,
  toProblem,
  type ErrorCode,
  type ErrorKind,
} from "@meridian/protocol";

const codes = Object.keys(ERROR_KINDS) as ErrorCode[];
const kinds = codes.map((code): [ErrorCode, ErrorKind] => [code, ERROR_KINDS[code]]);

describe("the table of errors", () => {
  it.each(kinds)("%s is named, titled and answered as the rules ask", (code, kind) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(kind.title).toMatch(/^[A-Z].*\.$/);
    expect(Number.isInteger(kind.status) && kind.status >= 400 && kind.status <= 599).toBe(true);
  });

  it.each(kinds.filter(([, kind]) => kind.closeCode !== undefined))(
    "%s has a close code that WebSockets allow an endpoint to send",
    (code, kind) => {
      const sent = kind.closeCode ?? 0;
      expect(sent === 1001 || sent === 1011 || (sent >= 4000 && sent <= 4999)).toBe(true);
      expect(errorOfCloseCode(sent)).toBe(code);
      expect(closeCodeOf(code)).toBe(sent);
    },
  );

  it("has no close code and no title twice", () => {
    const closeCodes = kinds.flatMap(([, kind]) => kind.closeCode ?? []);
    expect(new Set(closeCodes).size).toBe(closeCodes.length);
    expect(new Set(kinds.map(([, kind]) => kind.title)).size).toBe(codes.length);
  });

  it("calls nothing retryable that the request itself gets wrong", () => {
    const wrong = kinds.filter(([, { status }]) => [400, 403, 404, 405, 412, 413].includes(status));
    expect(wrong.filter(([, kind]) => kind.retryable)).toEqual([]);
    const unavailable = kinds.filter(([, { status }]) => status === 503);
    expect(unavailable.filter(([, kind]) => !kind.retryable)).toEqual([]);
  });

  it("closes as an internal error for a code that has no close code of its own", () => {
    expect(closeCodeOf("KEY_NOT_FOUND")).toBe(1011);
    expect(errorOfCloseCode(1011)).toBe("INTERNAL");
    expect(errorOfCloseCode(1000)).toBeUndefined();
    expect(errorOfCloseCode(4999)).toBeUndefined();
  });
});

describe("a problem document", () => {
  it("carries the error's details and its own members, which no detail can replace", () => {
    const members = ["type", "title", "status", "detail", "code", "retryable"] as const;
    const details = fc.dictionary(
      fc.oneof(fc.constantFrom(...members), fc.string({ maxLength: 8 })),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...codes), details, (code, said) => {
        const problem = toProblem(new MeridianError(code, "Expected a, got b", { details: said }));
        const kind = ERROR_KINDS[code];
        expect(problem).toMatchObject({
          type: `urn:meridian:error:${code.toLowerCase().replaceAll("_", "-")}`,
          title: kind.title,
          status: kind.status,
          detail: "Expected a, got b",
          code,
          retryable: kind.retryable,
        });
        for (const [name, value] of Object.entries(said)) {
          const own = (members as readonly string[]).includes(name);
          expect(problem[name]).toEqual(own ? problem[name] : value);
        }
      }),
    );
  });

  it("has exactly six members where the error has no details", () => {
    expect(Object.keys(toProblem(new MeridianError("INVALID_KEY", "m"))).toSorted()).toEqual([
      "code",
      "detail",
      "retryable",
      "status",
      "title",
      "type",
    ]);
  });
});

describe("the Retry-After header", () => {
  it("is on answers of 429, 503 and 507 that may succeed later, and on no other", () => {
    expect(codes.filter((code) => retryAfterOf(new MeridianError(code, "")).length > 0)).toEqual(
      codes.filter((code) => {
        const { status, retryable } = ERROR_KINDS[code];
        return retryable && [429, 503, 507].includes(status);
      }),
    );
    expect(retryAfterOf(new MeridianError("STORE_FULL", ""))).toEqual(["Retry-After", "1"]);
    const later = new MeridianError("RATE_LIMITED", "", { details: { retryAfterSeconds: 8 } });
    expect(retryAfterOf(later)).toEqual(["Retry-After", "8"]);
  });
});

describe("a MeridianError", () => {
  it("is an Error that knows whether to retry, and keeps its cause", () => {
    const cause = new Error("disk");
    const error = new MeridianError("STORE_FAILED", "m", { cause, details: { path: "p" } });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "MeridianError",
      code: "STORE_FAILED",
      retryable: true,
      message: "m",
      cause,
      details: { path: "p" },
    });
    expect("cause" in new MeridianError("INVALID_KEY", "m")).toBe(false);
  });

  it("is made of anything that was thrown, and is itself if it was one", () => {
    const own = new MeridianError("INVALID_KEY", "m");
    expect(asMeridianError(own)).toBe(own);
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const error = asMeridianError(thrown);
        expect(error.code).toBe("INTERNAL");
        expect(error.cause).toBe(thrown);
      }),
    );
    expect(asMeridianError({ toString: 1 }).code).toBe("INTERNAL");
    expect(asMeridianError(Object.create(null)).code).toBe("INTERNAL");
    expect(asMeridianError(new TypeError("no")).message).toBe("Unexpected failure: no");
  });
});
