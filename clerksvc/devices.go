package clerksvc

import "clerkql/internal/secret"

// knowDevice makes a device known to an account, for as long as its password stays what it is.
func (s *Service) knowDevice(userID string, passwordUpdatedAt int64) (*Device, error) {
	expires := s.now().Add(deviceLife).UTC()
	token, err := s.keys.Seal(purposeDevice, deviceHandle{UserID: userID, PasswordUpdatedAt: passwordUpdatedAt}, expires)
	if err != nil {
		return nil, err
	}
	return &Device{Token: secret.New(token), ExpiresAt: expires}, nil
}

// knownDevice reports whether a device token is one of this account, and from this side of the last change of its password. One
// that is not is no error: it leaves the device unknown.
func (s *Service) knownDevice(token secret.String, account *User) bool {
	var device deviceHandle
	return s.keys.Open(purposeDevice, token.Reveal(), &device) == nil &&
		device.UserID == account.ID && samePassword(account, device.PasswordUpdatedAt)
}
