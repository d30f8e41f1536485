import { createContext, useContext } from "react";
import type { User } from "../api/types";

export const SessionContext = createContext<User | null>(null);

/** The signed-in person. Only below the sign-in. */
export function useUser(): User {
  const user = useContext(SessionContext);
  if (!user) throw new Error("useUser needs a signed-in person.");
  return user;
}
