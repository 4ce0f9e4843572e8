/** The page's script: one client for as long as the page is open. */
import { connect } from "@meridian/client";

const parameters = new URLSearchParams(location.search);
const cache = await connect({
  directory: parameters.get("directory") ?? "http://127.0.0.1:7400",
  location: {
    lat: Number(parameters.get("lat") ?? "48.9"),
    lon: Number(parameters.get("lon") ?? "2.4"),
  },
});
showRegion();

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { submitter } = event;
  run(submitter?.value ?? "get").then(show, (error) => show(String(error)));
});

async function run(action) {
  const key = element("key").value;
  const { value } = element("value");
  if (action === "set") {
    await cache.set(key, value, { ttl: "60s" });
    return `${key} is set`;
  }
  if (action === "delete") {
    await cache.delete(key);
    return `${key} is deleted`;
  }
  const found = await cache.get(key);
  return found === undefined ? `${key} has no value` : `${key} is ${JSON.stringify(found)}`;
}

function show(text) {
  element("answer").textContent = text;
  showRegion();
}

function showRegion() {
  element("region").textContent = cache.nodes[0]?.id ?? "none";
}

function element(id) {
  return document.getElementById(id);
}
