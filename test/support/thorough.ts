/** Whether tests also do what takes too long for the checks: `npm run hunt:system` says so. */
export const IS_THOROUGH: boolean = process.env["MERIDIAN_THOROUGH"] === "1";
