export { registerSecurity } from "./security-metrics.ts";
export { Security, type Dialing, type SecurityOptions } from "./security.ts";
