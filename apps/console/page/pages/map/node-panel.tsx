/** The facts of one node. */
import type { ComponentChildren } from "preact";

import { placeText } from "./distance.ts";
import { lagText } from "./node-marks.tsx";
import type { ShownNode } from "./nodes.ts";
import { whyNotOffered } from "./offered.ts";
import { lookOf } from "./shapes.ts";
import { Sparkline } from "./sparkline.tsx";

/** What is known of a node. */
export function NodePanel({
  node,
  lags,
  lagMaxMs,
}: {
  readonly node: ShownNode;
  readonly lags: readonly number[];
  readonly lagMaxMs: number;
}) {
  const why = whyNotOffered(node, lagMaxMs);
  return (
    <div data-testid="node">
      <h2>
        <bdi>{node.id}</bdi>
      </h2>
      <p>
        {node.status}: {lookOf(node.status).meaning}.{" "}
        {why === undefined ? "Clients are sent here." : `Clients are not sent here: ${why}.`}
      </p>
      <dl class="pairs">
        <Fact name="Region">
          <bdi>{node.region}</bdi>
        </Fact>
        <Fact name="Place">{placeText(node)}</Fact>
        <Fact name="Address">
          <Address url={node.url} />
        </Fact>
        {node.status === "gone" ? (
          <Fact name="Last seen">{new Date(node.goneSinceMs).toLocaleString()}</Fact>
        ) : (
          <>
            <Fact name="Lag">
              {lagText(node.lagMs)} <Sparkline values={lags} />
            </Fact>
            <Fact name="Applied through">{node.appliedThrough.toLocaleString("en")}</Fact>
            <Fact name="Outbox">{node.outboxPending.toLocaleString("en")}</Fact>
            <Fact name="In memory">
              {node.load.entries.toLocaleString("en")} entries, {bytesText(node.load.bytes)}
            </Fact>
            <Fact name="Requests">{Math.round(node.load.requestsPerSecond)} /s</Fact>
            <Fact name="Clock">{skewText(node.skewMs)}</Fact>
            {node.peer !== null && (
              <Fact name="Linked to">
                <bdi>{node.peer}</bdi>
              </Fact>
            )}
          </>
        )}
      </dl>
    </div>
  );
}

/** A row of facts. */
export function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The console of a program is at its address. What is no address of the web is no link. */
export function Address({ url }: { readonly url: string }) {
  if (!/^https?:\/\//.test(url)) return <bdi>{url}</bdi>;
  return (
    <a href={url} rel="noopener noreferrer" target="_blank">
      <bdi>{url}</bdi>
    </a>
  );
}

/** How far a clock is ahead or behind, for people. A few milliseconds are the way here. */
function skewText(skewMs: number): string {
  if (Math.abs(skewMs) <= 5) return "agrees with the directory";
  return `${lagText(Math.abs(skewMs))} ${skewMs > 0 ? "ahead" : "behind"}`;
}

/** An amount of bytes for people. */
function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ""}`;
}
