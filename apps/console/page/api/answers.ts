/** What programs answer, as the tables of their API say. */
import type { AnswerOf, DIRECTORY_API, REGION_API } from "@meridian/protocol/http-api";

/** The table of a directory's requests. */
export type DirectoryApi = typeof DIRECTORY_API;

/** That of a region's. */
export type RegionApi = typeof REGION_API;

/** What a directory answers to `GET` of a path. */
export type DirectoryAnswer<Path extends keyof DirectoryApi> = DirectoryApi[Path] extends {
  readonly GET: infer Route;
}
  ? AnswerOf<Route>
  : never;

/** What a region answers to `GET` of a path. */
export type RegionAnswer<Path extends keyof RegionApi> = RegionApi[Path] extends {
  readonly GET: infer Route;
}
  ? AnswerOf<Route>
  : never;
