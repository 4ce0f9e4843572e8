declare module "d3-geo-voronoi" {
  import type { GeoPermissibleObjects } from "d3-geo";

  interface SphericalVoronoi {
    /** The borders of the cells, each once. */
    cellMesh(): GeoPermissibleObjects | null;
    /** The index of the point that is nearest to a place. */
    find(lon: number, lat: number): number | undefined;
  }

  /** The spherical Voronoi diagram of points `[lon, lat]`. */
  export function geoVoronoi(points: readonly (readonly [number, number])[]): SphericalVoronoi;
}
