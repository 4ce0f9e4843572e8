/** Schemas by the Standard Schema, version 1, as valibot, zod and others make them (https://standardschema.dev). */

/** A schema that checks a value of type `In` and returns one of type `Out`. */
export interface StandardSchema<In = unknown, Out = In> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaOutcome<Out> | Promise<SchemaOutcome<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** The result of a check: a value, or the issues. */
export interface SchemaOutcome<Out> {
  readonly value?: Out;
  readonly issues?: readonly SchemaIssue[] | undefined;
}

/** One problem of a value, and its place in the value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The type of the values that a schema accepts. */
export type SchemaIn<Schema extends StandardSchema> = NonNullable<
  Schema["~standard"]["types"]
>["input"];

/** The type of the values that a schema returns. */
export type SchemaOut<Schema extends StandardSchema> = NonNullable<
  Schema["~standard"]["types"]
>["output"];
