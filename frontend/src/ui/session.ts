import { queryOptions, useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { api } from "../api/endpoints";
import type { User } from "../api/types";

const LOOK_AGAIN = 5000; // milliseconds, while nobody is signed in

export const SessionContext = createContext<User | null>(null);

/** The signed-in person. Only below the sign-in. In the editor still there when the sign-in has run out. */
export function useUser(): User {
  const user = useContext(SessionContext);
  if (!user) throw new Error("useUser needs a signed-in person.");
  return user;
}

/** Who is signed in, and what this installation offers; asked again as soon as an answer says that nobody is. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: api.session,
  staleTime: 60_000,
  // A window beside this one gets no focus when somebody signs in there, and a look may come while another is under way.
  refetchInterval: ({ state }) => (state.data?.user === null ? LOOK_AGAIN : false),
  // Who signed in again in another tab comes back to this one.
  refetchOnWindowFocus: ({ state }) => (state.data?.user === null ? "always" : true),
});

export function useSession() {
  return useQuery(sessionQuery);
}

/** Whether the server has said that nobody is signed in. */
export function useSignedOut(): boolean {
  return useSession().data?.user === null;
}
