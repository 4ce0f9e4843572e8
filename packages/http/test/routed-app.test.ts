import { afterEach, expect, it, vi } from "vitest";

afterEach(() => {
  vi.unstubAllGlobals();
});

it("makes no response of `fetch` before one is asked for, because Node.js then loads all of it", async () => {
  vi.stubGlobal(
    "Response",
    class {
      constructor() {
        throw new Error("Expected no response");
      }
    },
  );
  // The query makes it a module that has not been loaded.
  const again = "../src/routed-app.ts?again";
  await expect(import(/* @vite-ignore */ again)).resolves.toHaveProperty("routedApp");
});
