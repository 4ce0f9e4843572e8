import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import { authenticatorOf, parseAddress } from "../src/stream-address.ts";

describe("the address of a stream", () => {
  it("names servers, and whether to use TLS", () => {
    expect(parseAddress("nats://one")).toEqual({ servers: ["one:4222"], tls: false });
    expect(parseAddress("tls://one:1,two.example:2,[::1]/")).toEqual({
      servers: ["one:1", "two.example:2", "[::1]:4222"],
      tls: true,
    });
    const { servers } = parseAddress("nats://one,nats://two:7");
    expect(servers).toEqual(["one:4222", "two:7"]);
  });

  it.each([
    "",
    "one:4222",
    "http://one",
    "nats://",
    "nats://one:70000",
    "nats://a b",
    "nats://a,,b",
  ])("is not `%s`", (text) => {
    expect(() => parseAddress(text)).toThrow("Expected `log` to be like");
  });

  it("has no password, which a refusal does not repeat", () => {
    expect(() => parseAddress("nats://user:secret@one")).toThrow("log-credentials");
    expect(() => parseAddress("nats://user:secret@one")).not.toThrow("secret");
  });
});

describe("the file of credentials", () => {
  it("has a user with a password, or a token, and is read again each time", () => {
    const folder = mkdtempSync(join(tmpdir(), "meridian-credentials-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "nats");
    writeFileSync(path, "user:pass:word\n");
    const authenticator = authenticatorOf(path);
    expect(authenticator()).toEqual({ user: "user", pass: "pass:word" });
    writeFileSync(path, "token\n");
    expect(authenticator()).toEqual({ auth_token: "token" });
    writeFileSync(path, " \n");
    expect(() => authenticatorOf(path)).toThrow("got nothing");
    expect(() => authenticatorOf(join(folder, "none"))).toThrow("cannot be read");
  });
});
