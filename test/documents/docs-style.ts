/** The style sheet of the API's pages. */
export const DOCS_STYLE: string = `:root {
  color-scheme: light dark;
}
body {
  font-family: system-ui, sans-serif;
  line-height: 1.5;
  margin: 2rem auto;
  max-width: 60rem;
  padding: 0 1rem;
}
section {
  border-top: 1px solid;
  margin-top: 2rem;
}
table {
  border-collapse: collapse;
}
caption {
  font-weight: bold;
  text-align: left;
}
td {
  padding: 0.2rem 1rem 0.2rem 0;
  vertical-align: top;
}
pre {
  overflow-x: auto;
}
`;
