/** A line on which everything takes its time. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A line that was made. */
export interface FarLine {
  /** As the URL that it leads to, with its own port. */
  readonly url: string;
  close(): void;
}

/** Makes a line to a port of this machine on which everything takes so many milliseconds in each direction. */
export async function farLine(url: string, ms: number): Promise<FarLine> {
  const ends = new Set<Socket>();
  const pass = (from: Socket, to: Socket): void => {
    ends.add(from);
    from.on("data", (data) => setTimeout(() => to.write(data), ms));
    from.on("close", () => to.destroy());
    from.on("error", () => {});
  };
  const target = new URL(url);
  const line = createServer((near) => {
    const far = connect(Number(target.port), "127.0.0.1");
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((resolve) => line.listen(0, "127.0.0.1", resolve));
  const { port } = line.address() as AddressInfo;
  return {
    url: `${target.protocol}//127.0.0.1:${port}`,
    close: () => {
      for (const end of ends) end.destroy();
      line.close();
    },
  };
}
