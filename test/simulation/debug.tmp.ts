import { formatStamp, decodeBlock } from "@meridian/protocol";
import { simulate } from "./scenario.ts";
import { TracedStore } from "./traced-store.ts";
import { TracedLog } from "./traced-log.ts";
const seed = Number(process.argv[2]);
const key = process.argv[3];
let n = 0;
const W = { w: undefined as any };
const now = () => Math.round(W.w?.nowMs ?? 0);
const f = (e: any) =>
  `${e.stamp.time}-${e.stamp.origin % 10000}${e.deleted ? "D" : ""}${e.expiresAtMs ? "x" : ""}`;
class T extends TracedStore {
  id = ++n;
  inc = this.incarnation;
  override append(r: any, done: any) {
    for (const e of r.entries ?? [])
      if (e.key === key)
        console.log(
          now(),
          "store",
          this.id,
          this.inc % 10000,
          r.kind,
          r.frame?.position ?? "",
          f(e),
          "H",
          this.horizon,
          "cur",
          JSON.stringify(r.cursor),
        );
    if (r.quarantined)
      for (const e of r.quarantined.entries)
        if (e.key === key) console.log(now(), "store", this.id, "QUARANTINE", f(e));
    if (r.horizon && now() < 40000)
      console.log(
        now(),
        "store",
        this.id,
        this.inc % 10000,
        "adopts",
        r.horizon,
        "cur",
        JSON.stringify(r.cursor),
      );
    if (r.kind === "progress" && r.cursor?.logId === 0)
      console.log(now(), "store", this.id, this.inc % 10000, "suspends");
    super.append(r, done);
  }
}
class L extends TracedLog {
  override append(fr: any, done: any) {
    for (const e of decodeBlock(fr.block, fr.count))
      if (e.key === key)
        console.log(
          now(),
          "LOG append",
          fr.after,
          fr.incarnation % 10000,
          fr.position,
          f(e),
          "H",
          this.horizonState.horizon,
        );
    super.append(fr, done);
  }
  override saveHorizon(s: any, d: any) {
    if (now() < 40000) console.log(now(), "LOG save", JSON.stringify(s).slice(0, 70));
    super.saveHorizon(s, d);
  }
}
const parts = {
  openStore: (disk: any, clock: any, world: any) => {
    W.w = world;
    const t = new T(disk, (run) => clock.after(world.between(0, 3), run));
    const e = key && t.get(key);
    console.log(
      now(),
      "open",
      t.id,
      t.inc % 10000,
      "H",
      t.horizon,
      JSON.stringify(t.cursor),
      e ? f(e) : "-",
    );
    return t;
  },
  openLog: (disk: any, e: any, s: any, w: any) => {
    W.w = w;
    const l = new L(disk, e, s, 20);
    const x = key && l.get(key);
    console.log(
      now(),
      "LOG open",
      e % 10000,
      "log",
      disk.logId % 10000,
      JSON.stringify(disk.horizonState),
      "through",
      disk.committedThrough,
      "purged",
      disk.purgedThrough,
      x ? f(x) : "-",
    );
    return l;
  },
};
const o = await simulate(seed, parts as any, "horizon");
console.log(o.violations.length, o.violations.slice(0, 6).join("\n").slice(0, 3000));
