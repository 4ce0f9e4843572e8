export { admitAnswer, writeBody, type AnswerBody } from "./answer-body.ts";
export { apiDocumentRoutes } from "./api-documents.ts";
export {
  jsonAnswer,
  problemAnswer,
  send,
  textAnswer,
  type Answer,
  type HeaderList,
  type JsonAnswer,
  type Refuse,
} from "./answer.ts";
export { backupRoutes, type Backups } from "./backup-routes.ts";
export { SlowRequests, type SlowRequest } from "./slow-requests.ts";
export { connectionsMaxOf } from "./connections-max.ts";
export { consoleRouteOf, consoleRoutes, type ConsoleOptions } from "./console-routes.ts";
export {
  eventText,
  EventStreams,
  idText,
  sendInTurns,
  type EventStream,
  type StreamEvents,
} from "./event-streams.ts";
export { inTurns } from "./in-turns.ts";
export {
  carrierOfContext,
  carrierOfIncoming,
  PlainCarrier,
  Exchange,
  refusalOf,
  type AnswerStyle,
  type AppEnv,
  type Carrier,
} from "./exchange.ts";
export {
  Gate,
  limitAddresses,
  limitReads,
  limitWrites,
  verifyToken,
  type Authenticator,
  type GateOptions,
} from "./gate.ts";
export { principalOf } from "./principals.ts";
export { placeOf, RateLimits, type Rate, type RateLimitsOptions } from "./rate-limits.ts";
export { answerRaw } from "./raw-answer.ts";
export { RequestTurns } from "./request-turns.ts";
export { RequestTimes } from "./request-times.ts";
export { HeldBytes, type HeldBytesOptions, type Holder } from "./held-bytes.ts";
export { HttpGuard, type HttpGuardOptions } from "./http-guard.ts";
export {
  HttpServer,
  type Certificate,
  type HttpHandlers,
  type HttpServerOptions,
  type RequestListener,
} from "./http-server.ts";
export { isLoopback } from "./hosts.ts";
export { HTTP_TIMEOUTS, type HttpTimeouts } from "./http-timeouts.ts";
export { answerMetrics } from "./metrics-answer.ts";
export { OriginPolicy, REFUSAL_HEADERS } from "./origins.ts";
export { digestQueryOf, entriesQueryOf, PAGE_OPTIONS, type PageQuery } from "./page-query.ts";
export { checkOption, readQuery, readWhole, type Query, type WholeBounds } from "./query.ts";
export { HistoryNews, historyRoutes, type HistoryNewsOptions } from "./history-news.ts";
export { HeadText } from "./head-text.ts";
export {
  plainHeadOf,
  splitPlain,
  type OnPlainAnswer,
  type PlainAnswer,
  type PlainHead,
  type PlainRead,
  type PlainReader,
  type PlainWrite,
  type PlainWriter,
  type SplitPlain,
} from "./plain-read.ts";
export {
  readListener,
  requestListener,
  writeListener,
  type RequestListenerOptions,
  type ShortPath,
  type ShortWrites,
} from "./request-listener.ts";
export { RequestLimit } from "./request-limit.ts";
export {
  failureOf,
  routedApp,
  problemOf,
  runRoute,
  type ApiRoutes,
  type Route,
  type RoutedApp,
  type RoutedAppOptions,
  type RouteTable,
} from "./routed-app.ts";
export { StaticFiles, type StaticFilesOptions } from "./static-files.ts";
export { decodeEscapes, targetOf, type Target } from "./target.ts";
export type { UpgradeListener } from "./upgrades.ts";
export { checkView } from "./views/check-view.ts";
export { isOwnAddress } from "./views/own-addresses.ts";
export { askProgram, type ProgramRequest, type TlsTrust } from "./views/program-request.ts";
export { Turnstile, type TurnstileOptions } from "./views/turnstile.ts";
export { tokenFor, Views, viewRoutes, type ViewsOptions, type ViewTarget } from "./views/views.ts";
