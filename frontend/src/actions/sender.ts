import { ApiError } from "../api/client";
import { api } from "../api/endpoints";
import type { JournalOp, SendResult } from "../core/journal";

/** Carries one journal operation to the server and says what became of it. All three kinds may be sent twice. */
export async function sendOperation(op: JournalOp): Promise<SendResult> {
  try {
    if (op.kind === "put") await api.putMask(op.maskId, op.body ?? {});
    else if (op.kind === "delete") await api.deleteMask(op.maskId);
    else await api.restoreMask(op.maskId);
    return { kind: "done" };
  } catch (error) {
    return resultOf(op, error);
  }
}

function resultOf(op: JournalOp, error: unknown): SendResult {
  if (!(error instanceof ApiError)) return { kind: "busy" };
  if (error.offline) return { kind: "offline" };
  if (error.signedOut) return { kind: "signed_out" };
  if (error.status === 429 || error.status >= 500) return { kind: "busy" };
  if (error.status === 404 && op.kind === "delete") return { kind: "done" };
  const problem = { code: error.code, message: error.message, current: error.details.current ?? null };
  return { kind: "problem", problem: { kind: error.status === 409 ? "conflict" : "refused", ...problem } };
}
