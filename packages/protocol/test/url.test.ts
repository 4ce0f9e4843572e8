import { parseAddress, parseUrl, parseUrls } from "@meridian/protocol";
import { describe, expect, it } from "vitest";

describe("the setting of a URL", () => {
  it.each([
    ["http://h:7400", "http://h:7400"],
    ["https://h/", "https://h"],
    ["http://[::1]:7400//", "http://[::1]:7400"],
    ["http://h/base/", "http://h/base"],
  ])("may be %s", (text, url) => {
    expect(parseUrl(text)).toBe(url);
  });

  it.each([
    "http://h:7400/?x=1",
    "http://h:7400?",
    "http://h:7400/#top",
    "http://user@h:7400",
    "http://user:secret@h",
    "http://h\\a",
    "ftp://h",
    "h:7400",
    "http://",
    "",
  ])("is not `%s`", (text) => {
    expect(() => parseUrl(text)).toThrow("expected an http or https URL without query");
    expect(() => parseUrls(`http://a,${text}`)).toThrow("expected an http or https URL");
  });
});

describe("the setting of an address", () => {
  it.each([
    ["10.0.0.5", "10.0.0.5"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ])("is written one way: %s", (text, address) => {
    expect(parseAddress(text)).toBe(address);
  });

  it.each(["", "10.0.0.5:80", "[::1]", "fe80::1%eth0", "010.0.0.5", "10.0.0", "h"])(
    "is not `%s`",
    (text) => {
      expect(() => parseAddress(text)).toThrow("Expected an IPv4 or IPv6 address");
    },
  );
});
