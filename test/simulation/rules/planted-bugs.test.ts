import { describeRules } from "./describe-rules.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";

describeRules(PLANTED_BUGS);
