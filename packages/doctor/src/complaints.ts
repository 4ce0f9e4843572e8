/** The problems that a cluster can have, and what to do about them: one rule for each kind. */
import { agoText } from "./span.ts";
import type { AskedDirectory, AskedNode, Checkup } from "./checkup.ts";

/** The kind of a problem. */
export type ComplaintKind =
  | "directory-unreachable"
  | "one-directory"
  | "directories-apart"
  | "node-absent"
  | "node-unreachable"
  | "node-refused"
  | "node-not-ready"
  | "node-behind"
  | "clock-skewed"
  | "clocks-disagree"
  | "versions-apart"
  | "damaged"
  | "no-snapshot"
  | "disk-full"
  | "disk-low"
  | "nearly-full"
  | "certificate-expires"
  | "quarantine";

/** One problem. */
export interface Complaint {
  readonly kind: ComplaintKind;
  /** The program that has the problem: an id or a URL. */
  readonly who: string;
  /** What is wrong, as a sentence. */
  readonly what: string;
  /** What to do, as a sentence. */
  readonly remedy: string;
}

type NodeDisk = NonNullable<AskedNode["status"]>["disk"];

/** A complaint before its rule has named it. */
type Finding = Omit<Complaint, "kind">;

const DAY_MS = 86_400_000;
/** How long before their expiry certificates are reported, in milliseconds; the programs log warnings from then on, too. */
const EXPIRES_SOON_MS = 14 * DAY_MS;
/** From how many milliseconds on a clock is reported. Clocks that differ by up to 10 s still agree. */
const SKEW_MAX_MS = 1_000;
/** From this share of its bound on, a queue or resource is nearly full. */
const NEARLY_FULL = 0.8;
/** Below this free share of its size a disk is nearly full; `MeridianDiskLow` of the alert rules has the same. */
const DISK_LOW = 0.1;
/** Gauges that are full most of the time, because data is kept as long as there is room. */
const KEPT: ReadonlySet<string> = new Set([
  "cacheEntries",
  "cacheBytes",
  "changes",
  "changeBytes",
  "recentBytes",
  "heatBytes",
]);

const RULES: Readonly<Record<ComplaintKind, (checkup: Checkup) => readonly Finding[]>> = {
  "directory-unreachable": ({ directories }) =>
    directories.flatMap(({ url, failure }) =>
      failure === undefined
        ? []
        : [
            {
              who: url,
              what: `The directory does not answer: ${failure}.`,
              remedy:
                "Start it, or open the way to it; `systemctl status meridian-directory` there says how it stands.",
            },
          ],
    ),
  "one-directory": ({ directories }) => {
    const [only] = directories;
    if (only === undefined || directories.length > 1) return [];
    return [
      {
        who: only.url,
        what: "It is the only directory: while it is away, nothing travels between the regions and `/nearest` is not answered.",
        remedy: "Start a second one with `--peer`, and give the regions both.",
      },
    ];
  },
  "directories-apart": (checkup) =>
    running(checkup).flatMap(({ url, status }) =>
      status.peers
        .filter(({ connected }) => !connected)
        .map(({ name }) => ({
          who: url,
          what: `It does not reach the directory ${name}, which it follows.`,
          remedy:
            "Look at its log, which says why: a firewall, a certificate, a token, or a directory that is down.",
        })),
    ),
  "node-absent": ({ nodes, nowMs }) =>
    nodes.flatMap(({ id, listed, status }) =>
      listed.goneSinceMs === null || status !== undefined
        ? []
        : [
            {
              who: id,
              what: `The node is missed for ${agoText(nowMs - listed.goneSinceMs)}.`,
              remedy: `Start it, or, if it is gone for good, say \`meridian nodes forget ${id}\`.`,
            },
          ],
    ),
  "node-unreachable": ({ nodes }) =>
    nodes.flatMap(({ id, url, listed, failure }) =>
      listed.goneSinceMs !== null || failure === undefined
        ? []
        : [
            {
              who: id,
              what: `The node is at a directory, and does not answer here: ${failure}.`,
              remedy: `Clients are sent to ${url}: see that it leads to the node from where they are (\`--url\`, \`--ip\`, firewall, certificate).`,
            },
          ],
    ),
  "node-refused": (checkup) =>
    answering(checkup).flatMap(({ id, status: { replica, directoriesFound } }) => {
      const why = replica.refusal ?? (replica.connected ? null : directoriesFound);
      if (why === null) return [];
      const remedy =
        "Do what the sentence says; its log says since when. It keeps its writes until it is taken in.";
      return [{ who: id, what: `The directories do not take the node in: ${why}`, remedy }];
    }),
  "node-not-ready": (checkup) =>
    answering(checkup).flatMap(({ id, status: { status, replica } }) =>
      status === "ready" || status === "full" || replica.refusal !== null
        ? []
        : [
            {
              who: id,
              what: `The node is \`${status}\`${replica.connected ? "" : ", and reaches no directory"}.`,
              remedy: "Wait if it has just started or is being stopped; else look at its log.",
            },
          ],
    ),
  "node-behind": (checkup) => {
    const lagMaxMs = Math.min(...running(checkup).map(({ status }) => status.lagMaxMs));
    return answering(checkup).flatMap(({ id, status: { replica } }) =>
      replica.lagMs < lagMaxMs
        ? []
        : [
            {
              who: id,
              what: `The node is ${Math.round(replica.lagMs)} ms and ${replica.behind} writes behind.`,
              remedy:
                "See whether its disk, its processor or its link is at its limit: `meridian top`.",
            },
          ],
    );
  },
  "clock-skewed": (checkup) => {
    const aheadMs = new Map(
      answering(checkup).map(({ id, status }) => [id, status.replica.skewMs] as const),
    );
    for (const { status } of running(checkup)) {
      for (const { id, aheadMs: ms } of status.clocks.deviant) aheadMs.set(id, ms);
    }
    return [...aheadMs]
      .filter(([, ms]) => Math.abs(ms) >= SKEW_MAX_MS)
      .map(([who, ms]) => ({
        who,
        what: `The clock of its machine is ${agoText(Math.abs(ms))} ${ms > 0 ? "ahead" : "behind"}.`,
        remedy: "Run NTP there: `timedatectl set-ntp true`.",
      }));
  },
  "clocks-disagree": (checkup) =>
    running(checkup)
      .filter(({ status }) => !status.clocks.confirmed && status.clocks.members > 1)
      .map(({ url, status: { clocks } }) => ({
        who: url,
        what: `No majority of the clocks agrees (${clocks.agreeing} of ${clocks.members}): expired entries and deletes are kept, and disks grow.`,
        remedy: "Set the clocks, and forget nodes that are gone for good.",
      })),
  "versions-apart": ({ directories, nodes }) => {
    const versions = new Map<string, string[]>();
    const add = (who: string, version: string | undefined): void => {
      if (version !== undefined) versions.set(version, [...(versions.get(version) ?? []), who]);
    };
    for (const { url, status } of directories) add(url, status?.version);
    for (const { id, status } of nodes) add(id, status?.version);
    if (versions.size < 2) return [];
    const said = [...versions].map(([version, who]) => `${version} (${who.join(", ")})`);
    return [
      {
        who: "the cluster",
        what: `Several versions run: ${said.join("; ")}.`,
        remedy: "Finish the upgrade, or go back: only neighbouring versions are tried together.",
      },
    ];
  },
  damaged: (checkup) =>
    everyone(checkup).flatMap(({ who, status: { damage } }) =>
      damage === null
        ? []
        : [
            {
              who,
              what: `Its database is damaged: ${damage}`,
              remedy:
                "Stop it and move its data folder away: it fills itself again from the others, or from the stream of its log.",
            },
          ],
    ),
  "no-snapshot": (checkup) =>
    running(checkup).flatMap(({ url, status: { snapshots } }) =>
      snapshots === undefined || snapshots === null || snapshots.failure === null
        ? []
        : [
            {
              who: url,
              what: `It keeps no snapshot of its log, so the stream goes on growing: ${snapshots.failure}`,
              remedy:
                "Give NATS the room that this says, or mend what it names. The directory tries again every minute.",
            },
          ],
    ),
  "disk-full": (checkup) =>
    [
      ...running(checkup).map(({ url, status }) => disk(url, status.stall)),
      ...answering(checkup).map(({ id, status }) => disk(id, status.shortage)),
    ].flat(),
  "disk-low": (checkup) =>
    [
      ...running(checkup).map(({ url, status }) => lowDisk(url, status.disk, status.stall)),
      ...answering(checkup).map(({ id, status }) => lowDisk(id, status.disk, status.shortage)),
    ].flat(),
  "nearly-full": (checkup) =>
    everyone(checkup).flatMap(({ who, status: { gauges } }) =>
      gauges
        .filter(({ name, now, max }) => !KEPT.has(name) && max > 0 && now / max >= NEARLY_FULL)
        .map(({ name, now, max }) => ({
          who,
          what: `\`${name}\` is at ${now} of ${max}.`,
          remedy:
            "What comes beyond the bound is refused or waits: add a region, or raise the bound where there is an option.",
        })),
    ),
  "certificate-expires": ({ directories, nodes, nowMs }) =>
    [
      ...directories.map((each) => ({ who: each.url, ...each })),
      ...nodes.map((each) => ({ who: each.id, ...each })),
    ].flatMap(({ who, expiresAtMs }) => {
      if (expiresAtMs === undefined || expiresAtMs - nowMs > EXPIRES_SOON_MS) return [];
      const leftMs = expiresAtMs - nowMs;
      const when =
        leftMs < 0 ? `has expired ${agoText(-leftMs)} ago` : `expires in ${agoText(leftMs)}`;
      return [
        {
          who,
          what: `Its certificate ${when}.`,
          remedy:
            "Renew it with `meridian certificate <names> --renew` and put it there: it is read without a restart. A service that gets it from systemd (`LoadCredential`) has to be restarted, which loses nothing.",
        },
      ];
    }),
  quarantine: (checkup) =>
    answering(checkup).flatMap(({ id, status: { replica } }) =>
      replica.quarantined === 0
        ? []
        : [
            {
              who: id,
              what: `It holds ${replica.quarantined} entries that the others deleted while it was away.`,
              remedy: `Decide: \`meridian quarantine list --node ${id}\`, then \`replay\` or \`drop\`.`,
            },
          ],
    ),
};

/** Every kind of complaint. */
export const COMPLAINT_KINDS: readonly ComplaintKind[] = Object.keys(RULES) as ComplaintKind[];

/** All problems, without the kinds that the operator accepts. */
export function complaintsOf(
  checkup: Checkup,
  accepted: ReadonlySet<ComplaintKind> = new Set(),
): readonly Complaint[] {
  return COMPLAINT_KINDS.filter((kind) => !accepted.has(kind)).flatMap((kind) =>
    RULES[kind](checkup).map((finding) => ({ kind, ...finding })),
  );
}

function disk(who: string, why: string | null): readonly Finding[] {
  if (why === null) return [];
  const remedy = "Make room on its disk, or raise `--store-bytes-max`: it goes on by itself.";
  return [{ who, what: `It takes no new values: ${why}`, remedy }];
}

/** Says nothing of a disk that is full already, which another rule finds. */
function lowDisk(who: string, disk: NodeDisk, full: string | null): readonly Finding[] {
  if (disk === undefined || full !== null) return [];
  const { freeBytes, sizeBytes } = disk;
  if (freeBytes >= DISK_LOW * sizeBytes) return [];
  const [free, size] = [freeBytes, sizeBytes].map((bytes) => (bytes / 2 ** 30).toFixed(1));
  return [
    {
      who,
      what: `Its disk has ${free} of ${size} GiB left.`,
      remedy:
        "Make room on it, or enlarge it, before it takes no new values: CAPACITY.md says how much the data needs.",
    },
  ];
}

type Answering<Asked extends { readonly status: unknown }> = Asked & {
  readonly status: NonNullable<Asked["status"]>;
};

function running({ directories }: Checkup): readonly Answering<AskedDirectory>[] {
  return directories.filter((each): each is Answering<AskedDirectory> => each.status !== undefined);
}

function answering({ nodes }: Checkup): readonly Answering<AskedNode>[] {
  return nodes.filter((each): each is Answering<AskedNode> => each.status !== undefined);
}

/** All programs that answered, directories first. */
function everyone(checkup: Checkup): readonly {
  readonly who: string;
  readonly status: Pick<Answering<AskedDirectory>["status"], "damage" | "gauges">;
}[] {
  return [
    ...running(checkup).map(({ url, status }) => ({ who: url, status })),
    ...answering(checkup).map(({ id, status }) => ({ who: id, status })),
  ];
}
