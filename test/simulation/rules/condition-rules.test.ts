import { CONDITION_RULES } from "./condition-rules.ts";
import { describeRules } from "./describe-rules.ts";

describeRules(CONDITION_RULES);
