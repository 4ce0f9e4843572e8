import { CONDITION_RULES } from "./condition-rules.ts";
import { HORIZON_RULES } from "./horizon-rules.ts";
import { LOG_RULES } from "./log-rules.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import type { Rule } from "./rule.ts";
import { STAMP_RULES } from "./stamp-rules.ts";
import { STREAM_RULES } from "./stream-rules.ts";
import { TIME_RULES } from "./time-rules.ts";

/** Every rule that can be switched off. */
export const ALL_RULES: readonly Rule[] = [
  ...STAMP_RULES,
  ...LOG_RULES,
  ...HORIZON_RULES,
  ...TIME_RULES,
  ...CONDITION_RULES,
  ...STREAM_RULES,
  ...PLANTED_BUGS,
];
