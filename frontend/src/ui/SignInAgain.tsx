import type { ReactNode } from "react";
import { keepWayOn } from "./wayIn";

/** For whom the sign-in ran out under their hands: there, and back to this page. */
export function SignInAgain({ className, children }: { className: string; children: ReactNode }) {
  const keepPage = () => keepWayOn(window.location.pathname + window.location.search);
  return (
    <a className={className} href="/sign-in" onClick={keepPage}>
      {children}
    </a>
  );
}
