export { OwnToken, type OwnTokenOptions } from "./own-token.ts";
export {
  createToken,
  makeSigningKey,
  publicKeysOf,
  type SigningKey,
  type TokenWish,
} from "./token-maker.ts";
export { TokenVerifier, type TokenVerifierOptions } from "./token-verifier.ts";
