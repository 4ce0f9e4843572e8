import { describeRules } from "./describe-rules.ts";
import { HORIZON_RULES } from "./horizon-rules.ts";

describeRules(HORIZON_RULES);
