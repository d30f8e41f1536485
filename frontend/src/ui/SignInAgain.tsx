import type { ReactNode } from "react";
import { keepWayOn } from "./wayIn";

/** For whom the sign-in ran out under their hands: there, and back to this page. */
export function SignInAgain({ className, children }: { className: string; children: ReactNode }) {
  return (
    <a className={className} href="/sign-in" onClick={() => keepWayOn(window.location.pathname)}>
      {children}
    </a>
  );
}
