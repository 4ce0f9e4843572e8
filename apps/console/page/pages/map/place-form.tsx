import { useState } from "preact/hooks";

import type { LatLon } from "./projection.ts";

/** Asks about a place by numbers, for those who do not click. */
export function PlaceForm({ onPlace }: { readonly onPlace: (place: LatLon) => void }) {
  const [lat, setLat] = useState("");
  const [lon, setLon] = useState("");
  return (
    <form
      class="place-form"
      onSubmit={(event) => {
        event.preventDefault();
        onPlace({ lat: Number(lat), lon: Number(lon) });
      }}
    >
      <label>
        Latitude
        <input
          type="number"
          min={-90}
          max={90}
          step="any"
          required
          value={lat}
          onInput={(event) => setLat(event.currentTarget.value)}
        />
      </label>
      <label>
        Longitude
        <input
          type="number"
          min={-180}
          max={180}
          step="any"
          required
          value={lon}
          onInput={(event) => setLon(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Find the nearest</button>
    </form>
  );
}
