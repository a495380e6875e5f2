package clerkemu

import "strings"

// activity is where a session was begun.
type activity struct {
	id             string
	ipAddress      string
	deviceType     string
	mobile         bool
	browserName    string
	browserVersion string
}

// activityBody is the schema SessionActivityResponse. An embedded Clerk does
// not know where an address is: there is no city and no country.
type activityBody struct {
	Object         string `json:"object"`
	ID             string `json:"id"`
	DeviceType     string `json:"device_type,omitempty"`
	IsMobile       bool   `json:"is_mobile"`
	BrowserName    string `json:"browser_name,omitempty"`
	BrowserVersion string `json:"browser_version,omitempty"`
	IPAddress      string `json:"ip_address,omitempty"`
}

func newActivityBody(a *activity) *activityBody {
	if a == nil {
		return nil
	}
	return &activityBody{
		Object: "session_activity", ID: a.id, DeviceType: a.deviceType, IsMobile: a.mobile,
		BrowserName: a.browserName, BrowserVersion: a.browserVersion, IPAddress: a.ipAddress,
	}
}

// newActivity tells from the User-Agent what can easily be told [I].
func newActivity(by caller) *activity {
	a := &activity{id: newID(prefixActivity)}
	if by.ip.IsValid() {
		a.ipAddress = by.ip.String()
	}
	a.browserName, a.browserVersion = browserOf(by.userAgent)
	// In this order: an Android is a Linux, too.
	for _, device := range []string{"iPhone", "iPad", "Android", "Macintosh", "Windows", "Linux"} {
		if strings.Contains(by.userAgent, device) {
			a.deviceType = device
			break
		}
	}
	a.mobile = a.deviceType == "iPhone" || a.deviceType == "iPad" || a.deviceType == "Android"
	return a
}

// browserOf finds the product of a User-Agent that names the browser. In this
// order: Edge and Opera call themselves Chrome, and Chrome calls itself Safari.
func browserOf(userAgent string) (name, version string) {
	for _, browser := range []struct{ product, name string }{
		{"Edg/", "Microsoft Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Version/", "Safari"},
	} {
		if _, rest, found := strings.Cut(userAgent, browser.product); found {
			version, _, _ = strings.Cut(rest, " ")
			return browser.name, clip(version)
		}
	}
	return "", ""
}
