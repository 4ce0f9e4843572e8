import { describeRules } from "./describe-rules.ts";
import { STREAM_RULES } from "./stream-rules.ts";

describeRules(STREAM_RULES);
