export { Credentials, type CredentialsOptions, type DialCredentials } from "./credentials.ts";
export { type CredentialFiles, type ServerCredentials } from "./credential-files.ts";
