export { Security, type Dialing, type SecurityOptions } from "./security.ts";
