/** The documents of the API, which the program has at `/docs`, in the frame of the console. They run no scripts. */

/** The API's documents. */
export function ApiPage() {
  return (
    <section class="page" aria-labelledby="api-title">
      <div class="heading">
        <h1 id="api-title">API</h1>
        <p class="hint">
          <a href="/docs">Alone</a>, or as <a href="/openapi.json">OpenAPI</a>
        </p>
      </div>
      <iframe
        class="card document"
        src="/docs"
        title="Documents of the API"
        sandbox="allow-same-origin"
      />
    </section>
  );
}
