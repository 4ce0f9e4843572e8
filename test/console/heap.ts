/** What a page of the console holds in the browser, after its garbage was collected. */
import type { CDPSession, Page } from "playwright-core";

/** The numbers that are watched. */
export interface HeldByPage {
  readonly heapBytes: number;
  /** Nodes of documents, those that are attached to none included. */
  readonly nodes: number;
  readonly listeners: number;
}

/** By what a browser calls them. */
const NAMES: Readonly<Record<keyof HeldByPage, string>> = {
  heapBytes: "JSHeapUsedSize",
  nodes: "Nodes",
  listeners: "JSEventListeners",
};

/** Asks the browser about one page. */
export class HeapProbe {
  readonly #session: CDPSession;

  private constructor(session: CDPSession) {
    this.#session = session;
  }

  static async of(page: Page): Promise<HeapProbe> {
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.enable");
    await session.send("Performance.enable");
    return new HeapProbe(session);
  }

  /** Collects garbage, and tells what is left. */
  async held(): Promise<HeldByPage> {
    // What a finalizer lets go of is collected by the second collection.
    await this.#session.send("HeapProfiler.collectGarbage");
    await this.#session.send("HeapProfiler.collectGarbage");
    const { metrics } = await this.#session.send("Performance.getMetrics");
    const valueOf = (name: string): number => {
      const found = metrics.find((metric) => metric.name === name);
      if (found === undefined) throw new Error(`Expected the browser to tell ${name}`);
      return found.value;
    };
    return {
      heapBytes: valueOf(NAMES.heapBytes),
      nodes: valueOf(NAMES.nodes),
      listeners: valueOf(NAMES.listeners),
    };
  }
}
