import { Emitter } from "../core/emitter";

/** The server did not know who asked: whoever was signed in is so no longer. */
export const notSignedIn = new Emitter<void>();

let person: number | null = null;

/**
 * Whose page this is, from now on. All tabs share one cookie: where somebody else signs in in another one, the server
 * refuses what this page still sends for the person before.
 */
export function speakFor(userId: number | null): void {
  person = userId;
}

/** The server's answer to a request it did not fulfil, or the lack of one (`offline`). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }

  /** No answer at all: network down, server gone. */
  get offline(): boolean {
    return this.status === 0;
  }

  /** Asked once more, the server would say the same. */
  get refused(): boolean {
    return this.status >= 400 && this.status < 500;
  }

  get signedOut(): boolean {
    return this.status === 401 || this.code === "not_authenticated";
  }
}

const OFFLINE = "The server cannot be reached. Your work is kept on this computer.";

/** Django hands the token out as a cookie and wants it back as a header with every change. */
export function csrfToken(): string {
  return /(?:^|; )csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

/** What every request of this page says of it, beside what fetch adds by itself. */
export function pageHeaders(): Record<string, string> {
  return person === null ? {} : { "X-Anymask-User": String(person) };
}

export interface RequestOptions {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** Lets the request outlive the page. */
  keepalive?: boolean;
  /** Asked whoever is signed in. */
  anybody?: boolean;
}

/** One JSON request. Resolves with the body (undefined for 204); rejects with ApiError, or AbortError when aborted. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const method = options.method ?? "GET";
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  if (!options.anybody) Object.assign(headers, pageHeaders());
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  const form = options.body instanceof FormData;
  if (options.body !== undefined && !form) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: options.body === undefined ? undefined : form ? (options.body as FormData) : JSON.stringify(options.body),
      signal: options.signal,
      keepalive: options.keepalive,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", OFFLINE);
  }
  if (response.status === 204) return undefined as T;
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const error = errorFrom(response.status, body);
    if (error.signedOut) notSignedIn.emit();
    throw error;
  }
  return body as T;
}

/** ApiError from a status and a parsed body that may be anything. */
export function errorFrom(status: number, body: unknown): ApiError {
  const shape = (body ?? {}) as { code?: unknown; message?: unknown; details?: unknown };
  const message = typeof shape.message === "string" ? shape.message : `The server answered with an error (${status}).`;
  const code = typeof shape.code === "string" ? shape.code : "unexpected";
  return new ApiError(status, code, message, (shape.details ?? {}) as Record<string, unknown>);
}

/** A sentence for any thrown thing. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "Something unexpected happened.";
}
