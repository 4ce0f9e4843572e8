import { describeRules } from "./describe-rules.ts";
import { LOG_RULES } from "./log-rules.ts";

describeRules(LOG_RULES);
