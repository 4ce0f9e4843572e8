export { OwnToken, type OwnTokenOptions } from "./own-token.ts";
export {
  Revocations,
  REVOCATIONS_MAX,
  type RevocationsOptions,
  type RevokingPage,
  type RevokingEntry,
} from "./revocations.ts";
export {
  createToken,
  makeSigningKey,
  publicKeysOf,
  type MadeToken,
  type SigningKey,
  type TokenWish,
} from "./token-maker.ts";
export { TokenVerifier, type TokenVerifierOptions } from "./token-verifier.ts";
