const WAY_ON = "anymask.way-on";
const PROBLEM = "sign_in_problem";

/** Where somebody wanted to go who is away at the sign-in, here or at a provider. Kept for this tab. */
export function keepWayOn(path: string): void {
  sessionStorage.setItem(WAY_ON, path);
}

export function wayOn(): string | null {
  return sessionStorage.getItem(WAY_ON);
}

export function forgetWayOn(): void {
  sessionStorage.removeItem(WAY_ON);
}

/** Why the provider's sign-in ended without one: the server leaves a sentence in a cookie, for one showing. */
export function problemOfSignIn(): string | null {
  const value = new RegExp(`(?:^|; )${PROBLEM}=([^;]*)`).exec(document.cookie)?.[1];
  if (!value) return null;
  try {
    const told = JSON.parse(decodeURIComponent(value)) as { message?: unknown };
    return typeof told.message === "string" ? told.message : null;
  } catch {
    return null;
  }
}

export function forgetProblemOfSignIn(): void {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser that is supported.
  document.cookie = `${PROBLEM}=; path=/sign-in; max-age=0; samesite=lax`;
}
