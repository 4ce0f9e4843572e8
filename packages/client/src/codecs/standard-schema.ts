/** Schemas by the Standard Schema, version 1, as valibot, zod and others make them (https://standardschema.dev). */

/** A schema that checks what is `In` and makes `Out` of it. */
export interface StandardSchema<In = unknown, Out = In> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaOutcome<Out> | Promise<SchemaOutcome<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** What a schema makes of a value, or what is wrong with it. */
export interface SchemaOutcome<Out> {
  readonly value?: Out;
  readonly issues?: readonly SchemaIssue[] | undefined;
}

/** What is wrong with a value, and where. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type SchemaIn<Schema extends StandardSchema> = NonNullable<
  Schema["~standard"]["types"]
>["input"];

/** What a schema makes of it. */
export type SchemaOut<Schema extends StandardSchema> = NonNullable<
  Schema["~standard"]["types"]
>["output"];
