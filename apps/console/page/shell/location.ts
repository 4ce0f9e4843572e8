import { Store } from "../store.ts";
import { placeOf, type Place } from "./place.ts";

/** Where one is now. */
export function followLocation(): Store<Place> {
  const place = new Store(placeOf(location.hash));
  addEventListener("hashchange", () => place.set(placeOf(location.hash)));
  return place;
}
