import { describeRules } from "./describe-rules.ts";
import { STAMP_RULES } from "./stamp-rules.ts";

describeRules(STAMP_RULES);
