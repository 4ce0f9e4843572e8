/** Tables of facts: all of them can be scrolled, by keyboard too, and have a name for who does not see them. */
import type { ComponentChildren } from "preact";

/** A column: its title, and whether it has numbers. */
interface Column {
  readonly title: string;
  readonly isNumber: boolean;
}

/** A column of numbers. */
export function numberColumn(title: string): Column {
  return { title, isNumber: true };
}

/** A table with a row of titles. Its rows are its children; `foot` stands below it, and scrolls with it. */
export function FactsTable({
  label,
  columns,
  kind = "",
  isCard = true,
  foot,
  children,
}: {
  readonly label: string;
  readonly columns: readonly (string | Column)[];
  /** A class beside that of all such tables. */
  readonly kind?: "" | "keys" | "entries";
  /** Whether the table is a card of its own, or stands in one. */
  readonly isCard?: boolean;
  readonly foot?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <div class={`scroll ${isCard ? "card" : ""}`} tabIndex={0} role="region" aria-label={label}>
      <table class={`facts ${kind}`}>
        <thead>
          <tr>
            {columns.map((column) => {
              const { title, isNumber } =
                typeof column === "string" ? { title: column, isNumber: false } : column;
              return (
                <th key={title} scope="col" class={isNumber ? "number" : ""}>
                  {title}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
      {foot}
    </div>
  );
}
