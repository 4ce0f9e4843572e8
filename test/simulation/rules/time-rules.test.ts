import { describeRules } from "./describe-rules.ts";
import { TIME_RULES } from "./time-rules.ts";

describeRules(TIME_RULES);
