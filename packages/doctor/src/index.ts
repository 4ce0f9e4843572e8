export {
  DIRECTORY_SAYS,
  examine,
  NODE_SAYS,
  type Asked,
  type AskedDirectory,
  type AskedNode,
  type Asker,
  type Checkup,
  type DirectorySays,
  type ListedNode,
  type NodeSays,
} from "./checkup.ts";
export { COMPLAINT_KINDS, complaintsOf, type Complaint, type ComplaintKind } from "./complaints.ts";
export { identityOf, namedBy, type DirectoryStanding } from "./directory-identity.ts";
export { agoText } from "./span.ts";
export { Party, type AskParty, type LogProgress, type PartyAddress } from "./verify/party.ts";
export {
  verifyCluster,
  type PartyReport,
  type VerifyOptions,
  type VerifyReport,
} from "./verify/verify-cluster.ts";
export { heldText, outcomeText, verdictText } from "./verify/words.ts";
